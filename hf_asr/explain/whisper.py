"""Whisper's way through a clip: the tokens it wrote, how sure it was of each, and where it listened meanwhile.

The text is read to the decoder once more, as for word times (hf_asr.decoding.words): each token after those before
it, which is how it was written.
"""

from dataclasses import dataclass

import numpy as np

from hf_asr.data.audio import RATE
from hf_asr.decoding.hypothesis import ScoredWord
from hf_asr.decoding.ngram import Floats
from hf_asr.decoding.words import alignment, first_frames, look_back, read
from hf_asr.models.recogniser import Recogniser, label_limit
from hf_asr.models.whisper import FRAMES_PER_SECOND

OTHERS = 3  # candidates shown for each token
MEL_PER_SECOND = 100  # frames of the log-mel spectrogram


@dataclass(frozen=True)
class Token:
    text: str
    posterior: float
    best: tuple[tuple[str, float], ...]  # the most probable text tokens in its place, itself perhaps among them
    start: float  # seconds
    end: float


@dataclass(frozen=True)
class Written:
    """What Whisper wrote of a clip; nothing but `mel` where it wrote nothing."""

    mel: Floats  # what it hears: log-mel power as its feature extractor scales it [channels, frames of 10 ms]
    text: str
    tokens: tuple[Token, ...]
    words: tuple[ScoredWord, ...]
    fit: Floats  # how much each token's cross-attention lay on each frame of 20 ms [tokens, frames], higher is more


def look(recogniser: Recogniser, samples: np.ndarray, beams: int) -> Written:
    """Samples [samples] at 16 kHz of up to 30 s, read as transcribe reads them."""
    extractor, tokenizer = recogniser.processor.feature_extractor, recogniser.processor.tokenizer
    seconds = len(samples) / RATE
    mel = extractor(samples, sampling_rate=RATE, return_tensors="np")["input_features"][0]
    mel = mel[:, : max(1, round(seconds * MEL_PER_SECOND))]
    reading = read(recogniser, samples, beams)
    if not reading.text:
        return Written(mel, "", (), (), np.zeros((0, 0)))
    ids = tokenizer(" " + reading.text, add_special_tokens=False)["input_ids"][: label_limit(recogniser)]
    weights, chances = look_back(recogniser, samples, ids)
    frames = max(1, round(seconds * FRAMES_PER_SECOND))
    fit = alignment(weights[..., :frames], recogniser.model.config.median_filter_width)
    times = [frame / FRAMES_PER_SECOND for frame in first_frames(fit)]
    tokens = []
    for at, token in enumerate(ids):
        found = chances[at].topk(OTHERS)
        best = tuple((tokenizer.decode([one]), float(p)) for p, one in zip(*map(list, found), strict=True))
        tokens.append(Token(tokenizer.decode([token]), float(chances[at, token]), best, times[at], times[at + 1]))
    return Written(mel, reading.text, tuple(tokens), reading.words, fit[:-1])
