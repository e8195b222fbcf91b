"""Whisper at the clip's own length, not padded to 30 s.

The encoder's positions are sinusoids (arXiv:2212.04356), so its first n rows serve a window of n
frames. Transformers asks for exactly `config.max_source_positions` of them; inside `context` that
number and the rows are those of a shorter window, and nothing else of the model changes.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import WhisperForConditionalGeneration

FULL_SECONDS = 30.0
FRAMES_PER_SECOND = 50  # the encoder's, after its strided convolution; 100 mel frames make 50


def own_window(seconds: float, trailing_silence: float) -> float:
    """The window a clip is read in, in seconds: its length and some silence, up to the next whole second.

    Whole seconds, so that the window follows from the clip alone and equal windows can share a batch:
    what is decoded then does not depend on which other clips are near.
    """
    return min(FULL_SECONDS, float(math.ceil(seconds + trailing_silence)))


@contextmanager
def context(model: WhisperForConditionalGeneration, seconds: float) -> Iterator[None]:
    """Let the model take windows of `seconds` (a mel spectrogram of 100 * seconds frames) inside this block."""
    encoder = model.get_encoder()
    full, positions = encoder.embed_positions, model.config.max_source_positions
    frames = round(seconds * FRAMES_PER_SECOND)
    if frames == positions:
        yield
        return
    encoder.embed_positions = nn.Embedding(
        frames, full.embedding_dim, _weight=full.weight[:frames].detach(), _freeze=True
    )
    model.config.max_source_positions = frames
    try:
        yield
    finally:
        encoder.embed_positions, model.config.max_source_positions = full, positions
