"""A CTC network that hears what a test writes: the samples of a frame are the logits of its units.

So audio can be made that says exactly so much of every letter, without a network to train.
"""

import io
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import soundfile
import torch
from datasets import Audio, Dataset
from torch import Tensor, nn
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Processor

from hf_asr.models.recogniser import Recogniser
from hf_asr.recipe import Units
from hf_asr.text import vocabulary
from hf_asr.text.pronunciation import Pronunciations

HOP = 320  # samples of a frame
RATE = 16_000
SCALE = 20.0  # logits of a sample at full scale
SOUNDS_LIKE = {"b": "d", "d": "b", "m": "n", "n": "m", "a": "e", "e": "a"}


class Spelling(nn.Module):
    main_input_name = "input_values"

    def __init__(self, units: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(vocab_size=units)
        self.anchor = nn.Parameter(torch.zeros(1))

    @property
    def device(self) -> torch.device:
        return self.anchor.device

    @property
    def dtype(self) -> torch.dtype:
        return self.anchor.dtype

    def _get_feat_extract_output_lengths(self, samples: int) -> int:
        return samples // HOP

    def forward(self, input_values: Tensor, attention_mask: Tensor) -> Any:
        frames = input_values[:, : input_values.shape[1] // HOP * HOP].unflatten(1, (-1, HOP))
        return SimpleNamespace(logits=frames[..., : self.config.vocab_size] * SCALE)


def recogniser(texts: list[str], units: Units | None = None, said: Pronunciations | None = None) -> Recogniser:
    """It writes in units learned from these texts, or in the phonemes of these words."""
    learned = vocabulary.build(texts, units or Units()) if said is None else vocabulary.phonemes(said)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = vocabulary.ctc_tokenizer(learned, Path(folder))
    extractor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
    network = Spelling(len(tokenizer)).eval()
    processor, encode = Wav2Vec2Processor(extractor, tokenizer), vocabulary.encoder(tokenizer)
    return Recogniser("ctc", network, processor, encode, lexicon=said)


def say(recogniser: Recogniser, text: str, seed: int | None = None) -> np.ndarray:
    """Samples of a text: two frames a unit and a blank between. With a seed, letters sound like others at times."""
    draw = np.random.default_rng(seed)
    tokenizer: Any = recogniser.processor.tokenizer
    frames = [_frame(tokenizer, {tokenizer.pad_token_id: 12.0})]
    for unit in recogniser.encode(text):
        other = tokenizer.convert_tokens_to_ids(SOUNDS_LIKE.get(tokenizer.convert_ids_to_tokens(unit), "[UNK]"))
        doubt = 0.0 if seed is None else 10.0 + draw.normal() * 1.5
        frames += [_frame(tokenizer, {other: doubt, unit: 10.0})] * 2 + [frames[0]]
    return np.concatenate(frames)


def _frame(tokenizer: Any, logits: dict[int, float]) -> np.ndarray:
    samples = np.zeros(HOP, np.float32)
    for unit, logit in logits.items():
        if unit != tokenizer.unk_token_id:
            samples[unit] = logit / SCALE
    return samples


def clips(recogniser: Recogniser, texts: list[str], seed: int) -> Dataset:
    """A table as data.clips makes it, of the texts said with doubts."""
    spoken = [say(recogniser, text, seed + number) for number, text in enumerate(texts)]
    rows = {
        "id": [str(number) for number in range(len(texts))],
        "audio": [{"path": None, "bytes": _wav(samples)} for samples in spoken],
        "raw": texts,
        "text": texts,
        "seconds": [len(samples) / RATE for samples in spoken],
        "speaker": [None] * len(texts),
    }
    return Dataset.from_dict(rows).cast_column("audio", Audio(decode=False))


def _wav(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()
