"""From audio to text: one path for training, evaluation and the command line."""
