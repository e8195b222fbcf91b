"""Greedy CTC decoding: the best symbol of every frame, repeats merged, blanks dropped (Graves et al. 2006)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.models.recogniser import Recogniser, frame_counter


@torch.no_grad()
def best_path(recogniser: Recogniser, samples: list[np.ndarray]) -> list[Tensor]:
    """Per clip, the most probable unit of each frame, int [frames]; only these leave the device."""
    network = recogniser.model
    inputs = recogniser.processor.feature_extractor(
        samples, sampling_rate=16_000, padding=True, return_attention_mask=True, return_tensors="pt"
    ).to(network.device)
    mask = inputs["attention_mask"]
    logits = network(inputs[network.main_input_name].to(network.dtype), attention_mask=mask).logits
    frames = frame_counter(recogniser)
    assert frames is not None
    return [path[: frames(len(clip))] for path, clip in zip(logits.argmax(-1).cpu(), samples, strict=True)]


def read_path(recogniser: Recogniser, path: Tensor, seconds_per_frame: float | None = None) -> Hypothesis:
    """The text of a best path, by the tokenizer call that pipeline() makes; word times when asked for."""
    tokenizer = recogniser.processor.tokenizer
    if seconds_per_frame is None:
        return Hypothesis(str(tokenizer.decode(path.tolist(), skip_special_tokens=False)).strip())
    found: Any = tokenizer.decode(path.tolist(), skip_special_tokens=False, output_word_offsets=True)
    words = (
        Word(word["word"], *(float(word[edge] * seconds_per_frame) for edge in ("start_offset", "end_offset")))
        for word in found["word_offsets"]
    )
    return Hypothesis(str(found["text"]).strip(), tuple(words))
