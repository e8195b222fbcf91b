"""Text: what is done to a transcript, and the units a CTC head predicts."""
