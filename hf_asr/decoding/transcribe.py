"""Clips to hypotheses in batches of similar length; long recordings in overlapping windows."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from hf_asr.decoding.ctc import best_path, read_path
from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.models.recogniser import Recogniser
from hf_asr.models.whisper import FULL_SECONDS, context, own_window

RATE = 16_000
TOKENS_PER_SECOND = 30  # English takes 4 or 5; scripts that Whisper spells by bytes up to about 20
LONG_SECONDS = 30.0  # longer recordings are read in windows
OVERLAP_SECONDS = 4.0  # of CTC windows, on each side; its outer half is thrown away


def transcribe(
    recogniser: Recogniser,
    read: Callable[[int], np.ndarray],
    seconds: Sequence[float],
    full_context: bool,
    batch_seconds: float = 240,
    beams: int = 1,
) -> Iterator[tuple[int, Hypothesis]]:
    """(index, hypothesis) of every clip, longest first; `read(index)` gives its samples at 16 kHz.

    Whisper reads windows of 30 s with `full_context`, as pipeline() does, else the clip's own length.
    A clip's hypothesis does not depend on the others in its batch.
    """
    recogniser.model.eval()
    for window, batch in _batches(recogniser, seconds, full_context, batch_seconds):
        samples = [read(index) for index in batch]
        if recogniser.family == "ctc":
            yield from (
                (i, read_path(recogniser, path)) for i, path in zip(batch, best_path(recogniser, samples), strict=True)
            )
        else:
            yield from zip(batch, _generate(recogniser, samples, window, beams), strict=True)


def _batches(
    recogniser: Recogniser, seconds: Sequence[float], full_context: bool, batch_seconds: float
) -> Iterator[tuple[float, list[int]]]:
    """(window, clip indices), the costliest first so that too little memory shows at once."""

    def window(index: int) -> float:
        if recogniser.family == "ctc":
            return seconds[index]
        return FULL_SECONDS if full_context else own_window(seconds[index], recogniser.trailing_silence)

    batch: list[int] = []
    for index in sorted(range(len(seconds)), key=lambda i: (-window(i), -seconds[i], i)):
        # Whisper hears its window, silence and all, so only equal windows go together; CTC masks its padding
        same = not batch or recogniser.family == "ctc" or window(index) == window(batch[0])
        if batch and (not same or window(batch[0]) * (len(batch) + 1) > batch_seconds):
            yield window(batch[0]), batch
            batch = []
        batch.append(index)
    if batch:
        yield window(batch[0]), batch


@torch.no_grad()
def _generate(recogniser: Recogniser, samples: list[np.ndarray], window: float, beams: int) -> list[Hypothesis]:
    features = recogniser.processor.feature_extractor(
        samples,
        sampling_rate=RATE,
        padding="max_length",
        max_length=round(window * RATE),
        truncation=True,
        return_attention_mask=True,
        return_tensors="pt",
    ).to(recogniser.model.device, recogniser.model.dtype)
    # an untrained Whisper loops at its own length; nobody speaks this fast, and pipeline()'s 30 s stay as they are
    limit = {} if window == FULL_SECONDS else {"max_length": min(round(TOKENS_PER_SECOND * window), 448)}
    with context(recogniser.model, window):
        tokens = recogniser.model.generate(
            input_features=features["input_features"],
            attention_mask=features["attention_mask"],
            num_beams=beams,
            return_timestamps=False,
            **limit,
        )
    texts = recogniser.processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return [Hypothesis(str(text).strip()) for text in texts]


@torch.no_grad()
def transcribe_recording(
    recogniser: Recogniser, samples: np.ndarray, beams: int = 1, times: bool = False
) -> Hypothesis:
    """One recording of any length, float [samples] at 16 kHz; word times (Whisper: segment times) when asked for."""
    recogniser.model.eval()
    seconds = len(samples) / RATE
    if recogniser.family == "ctc":
        path = torch.cat(list(_windows(recogniser, samples)))
        return read_path(recogniser, path, seconds / max(len(path), 1) if times else None)
    if seconds <= FULL_SECONDS and not times:
        return _generate(recogniser, [samples], FULL_SECONDS, beams)[0]
    return _sequential(recogniser, samples, beams)


def _windows(recogniser: Recogniser, samples: np.ndarray) -> Iterator[torch.Tensor]:
    """Best-path units of overlapping windows, each cut in the middle of its overlaps."""
    size, overlap = round(LONG_SECONDS * RATE), round(OVERLAP_SECONDS * RATE)
    for start in range(0, max(len(samples) - overlap, 1), size - overlap):
        piece = samples[start : start + size]
        (path,) = best_path(recogniser, [piece])
        per_frame = len(piece) / len(path)
        last = start + size >= len(samples)
        begin = 0 if start == 0 else round(overlap / 2 / per_frame)
        yield path[begin : len(path) if last else round((len(piece) - overlap / 2) / per_frame)]


def _sequential(recogniser: Recogniser, samples: np.ndarray, beams: int) -> Hypothesis:
    """Whisper's own way through a long recording: from one predicted timestamp to the next (arXiv:2212.04356)."""
    long = len(samples) > FULL_SECONDS * RATE
    features = recogniser.processor.feature_extractor(
        samples,
        sampling_rate=RATE,
        truncation=not long,
        padding="longest" if long else "max_length",
        return_attention_mask=True,
        return_tensors="pt",
    ).to(recogniser.model.device, recogniser.model.dtype)
    found = recogniser.model.generate(
        input_features=features["input_features"],
        attention_mask=features["attention_mask"],
        num_beams=beams,
        return_timestamps=True,
        return_segments=True,
    )
    decode = recogniser.processor.tokenizer.decode
    words = tuple(
        Word(str(decode(part["tokens"], skip_special_tokens=True)).strip(), float(part["start"]), float(part["end"]))
        for part in found["segments"][0]
    )
    return Hypothesis(" ".join(word.text for word in words), words)
