"""What a CTC network hears, and greedy decoding: the best symbol of every frame, repeats merged, blanks dropped.

Graves et al., Connectionist Temporal Classification, ICML 2006. With a language model: hf_asr.decoding.decoder.
"""

from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_asr.decoding.hypothesis import Hypothesis, Word
from hf_asr.models.recogniser import Recogniser, frame_counter


def best_path(recogniser: Recogniser, samples: list[np.ndarray]) -> list[Tensor]:
    """Per clip, the most probable unit of each frame, int [frames]; only these leave the device."""
    return [logits.argmax(-1).cpu() for logits in frame_logits(recogniser, samples)]


def log_posteriors(recogniser: Recogniser, samples: list[np.ndarray]) -> list[Tensor]:
    """Per clip, natural log probabilities of the units in each frame, float32 [frames, units]."""
    return [logits.float().log_softmax(-1).cpu() for logits in frame_logits(recogniser, samples)]


@torch.no_grad()
def frame_logits(recogniser: Recogniser, samples: list[np.ndarray]) -> list[Tensor]:
    """Per clip, the logits of its own frames [frames, units], on the device."""
    network = recogniser.model
    inputs = recogniser.processor.feature_extractor(
        samples, sampling_rate=16_000, padding=True, return_attention_mask=True, return_tensors="pt"
    ).to(network.device)
    mask = inputs["attention_mask"]
    logits = network(inputs[network.main_input_name].to(network.dtype), attention_mask=mask).logits
    frames = frame_counter(recogniser)
    assert frames is not None
    return [found[: frames(len(clip))] for found, clip in zip(logits, samples, strict=True)]


def read_path(recogniser: Recogniser, path: Tensor, seconds_per_frame: float | None = None) -> Hypothesis:
    """The text of a best path, by the tokenizer call that pipeline() makes; word times when asked for.

    Phonemes are read as the words of the lexicon that they are nearest to: pipeline() would write the phonemes.
    """
    tokenizer = recogniser.processor.tokenizer
    if recogniser.lexicon is not None:
        return _in_words(recogniser, path, seconds_per_frame)
    if seconds_per_frame is None:
        return Hypothesis(str(tokenizer.decode(path.tolist(), skip_special_tokens=False)).strip())
    found: Any = tokenizer.decode(path.tolist(), skip_special_tokens=False, output_word_offsets=True)
    words = (
        Word(word["word"], *(float(word[edge] * seconds_per_frame) for edge in ("start_offset", "end_offset")))
        for word in found["word_offsets"]
    )
    return Hypothesis(str(found["text"]).strip(), tuple(words))


def _in_words(recogniser: Recogniser, path: Tensor, seconds_per_frame: float | None) -> Hypothesis:
    assert recogniser.lexicon is not None
    names, words = recogniser.processor.tokenizer.convert_ids_to_tokens, []
    for group in groups(recogniser, path):
        found = recogniser.lexicon.nearest(tuple(names([unit for unit, _, _ in group])))
        words.append(Word(found, *(frame * (seconds_per_frame or 0.0) for frame in (group[0][1], group[-1][2]))))
    return Hypothesis(" ".join(word.text for word in words), () if seconds_per_frame is None else tuple(words))


def groups(recogniser: Recogniser, path: Tensor) -> list[list[tuple[int, int, int]]]:
    """What a path holds between its word delimiters: units, each with its first frame and the last + 1."""
    tokenizer, frame = recogniser.processor.tokenizer, 0
    found: list[list[tuple[int, int, int]]] = [[]]
    for unit, same in groupby(path.tolist()):
        start, frame = frame, frame + len(list(same))
        if unit == tokenizer.word_delimiter_token_id:
            found.append([])
        elif unit != tokenizer.pad_token_id:
            found[-1].append((unit, start, frame))
    return list(filter(None, found))
