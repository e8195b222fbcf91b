"""One clip followed step by step, from sound to text: in the terminal, and as a page."""
