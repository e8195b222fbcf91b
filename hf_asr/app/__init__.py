"""A page to try a model on: a clip, the microphone, many files."""
