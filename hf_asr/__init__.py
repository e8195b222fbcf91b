"""Fine-tune pretrained speech recognisers, with evidence."""

__version__ = "0.1.0"
