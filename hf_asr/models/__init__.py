"""Pretrained networks: loading, heads, lengths."""
