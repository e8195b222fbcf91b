"""Clips to hypotheses in batches of similar length; long recordings in overlapping windows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from hf_asr.decoding.ctc import best_path
from hf_asr.decoding.decoder import Decoder, Hear, Write, ctc_way
from hf_asr.decoding.ears import frame_stride
from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.models.recogniser import Recogniser, frame_counter
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
    decoder: Decoder | None = None,
) -> Iterator[tuple[int, Hypothesis]]:
    """(index, hypothesis) of every clip, longest first; `read(index)` gives its samples at 16 kHz.

    Whisper reads windows of 30 s with `full_context`, as pipeline() does, else the clip's own length; CTC decodes
    greedily, as pipeline() does, or with a `decoder`. A clip's hypothesis does not depend on the others in its batch.
    """
    recogniser.model.eval()
    way = _ctc_way(recogniser, decoder)
    for window, batch in batches(recogniser, seconds, full_context, batch_seconds):
        samples = [read(index) for index in batch]
        if way is None:
            yield from zip(batch, _generate(recogniser, samples, window, beams), strict=True)
        else:
            hear, write = way
            yield from ((i, write(frames, None)) for i, frames in zip(batch, hear(recogniser, samples), strict=True))


def _ctc_way(recogniser: Recogniser, decoder: Decoder | None) -> tuple[Hear, Write] | None:
    """None for Whisper, which takes no decoder: ctc_way says so."""
    return ctc_way(recogniser, decoder) if recogniser.family == "ctc" or decoder is not None else None


def batches(
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
    recogniser: Recogniser, samples: np.ndarray, beams: int = 1, times: bool = False, decoder: Decoder | None = None
) -> Hypothesis:
    """One recording of any length, float [samples] at 16 kHz; word times (Whisper: segment times) when asked for."""
    recogniser.model.eval()
    seconds = len(samples) / RATE
    way = _ctc_way(recogniser, decoder)
    if way is not None:
        hear, write = way
        frames_of = frame_counter(recogniser)
        if frames_of is not None and (not len(samples) or frames_of(len(samples)) < 1):
            return Hypothesis("")  # shorter than one frame
        frames = torch.cat(list(windows(recogniser, samples, hear)))
        return write(frames, seconds / max(len(frames), 1) if times else None)
    if seconds <= FULL_SECONDS and not times:
        return _generate(recogniser, [samples], FULL_SECONDS, beams)[0]
    return _sequential(recogniser, samples, beams)


def windows(
    recogniser: Recogniser,
    samples: np.ndarray,
    hear: Callable[[Recogniser, list[np.ndarray]], list[torch.Tensor]] = best_path,
) -> Iterator[torch.Tensor]:
    """What `hear` finds in the frames of overlapping windows [frames, ...], each cut in the middle of its overlaps.

    Windows begin at frames of the recording, so that each frame is found once: one left out at a join costs a letter.
    """
    size, stride = round(LONG_SECONDS * RATE), frame_stride(recogniser)
    half = round(OVERLAP_SECONDS / 2 * RATE / stride)
    step = size // stride - 2 * half
    for number in range(1 + max(0, -(-(len(samples) - size) // (step * stride)))):
        start = number * step * stride
        (found,) = hear(recogniser, [samples[start : start + size]])
        yield found[half if number else 0 : None if start + size >= len(samples) else step + half]


def _sequential(recogniser: Recogniser, samples: np.ndarray, beams: int) -> Hypothesis:
    decode = recogniser.processor.tokenizer.decode
    words = tuple(
        Word(str(decode(part["tokens"], skip_special_tokens=True)).strip(), float(part["start"]), float(part["end"]))
        for part in segments(recogniser, samples, beams)
    )
    return Hypothesis(" ".join(word.text for word in words), words)


@torch.no_grad()
def segments(
    recogniser: Recogniser, samples: np.ndarray, beams: int, watch: Callable[[torch.Tensor], None] | None = None
) -> list[dict[str, Any]]:
    """Whisper's own way through a recording: from one predicted timestamp to the next (arXiv:2212.04356).

    Each has start and end (s), and its tokens, timestamps among them. `watch` is called before every window, with
    the frames done and those there are, [1, 2].
    """
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
        monitor_progress=watch,
    )
    return list(found["segments"][0])
