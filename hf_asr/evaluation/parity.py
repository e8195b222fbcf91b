"""One decode path, proved on each run: the saved folder under a plain pipeline() says the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import pipeline

from hf_asr.data.audio import AudioError, decode
from hf_asr.evaluation.evaluate import Prediction
from hf_asr.text.pronunciation import Pronunciations
from hf_asr.text.vocabulary import lexicon_of

TEXT, THROUGH_LEXICON = "text", "text (its phonemes read through the lexicon)"  # what is compared


@dataclass(frozen=True)
class Parity:
    """How many of `clips` hypotheses are equal, letter for letter; the others as (id, ours, pipeline's).

    A pipeline() writes phonemes where units are phonemes: theirs is then what the model's lexicon reads them as.
    """

    clips: int
    equal: int
    differing: tuple[tuple[str, str, str], ...]
    what: str = TEXT


def parity(model: Path, clips: Dataset, predictions: Sequence[Prediction], limit: int = 20) -> Parity:
    """Compare `predictions` (of `clips`, in order) with pipeline("automatic-speech-recognition", model=folder).

    Clips that cannot be read are passed over.
    """
    device = 0 if torch.cuda.is_available() else -1
    recognise: Any = pipeline("automatic-speech-recognition", model=str(model), device=device)
    lexicon, differing = lexicon_of(recognise.tokenizer), []
    count = 0
    for row, ours in zip(clips.select(range(min(limit, len(clips)))), predictions, strict=False):
        try:
            samples = decode(row["audio"])
        except AudioError:  # the test lists it as unreadable
            continue
        count += 1
        heard = recognise(samples, **({} if lexicon is None else {"return_timestamps": "char"}))
        theirs = str(heard["text"]).strip() if lexicon is None else _in_words(heard["chunks"], lexicon)
        if theirs != ours.hypothesis:
            differing.append((ours.id, ours.hypothesis, theirs))
    what = TEXT if lexicon is None else THROUGH_LEXICON
    return Parity(count, count - len(differing), tuple(differing), what)


def _in_words(chunks: Sequence[dict[str, Any]], lexicon: Pronunciations) -> str:
    """Of pipeline()'s phonemes, each a chunk, and spaces."""
    groups = groupby((str(chunk["text"]) for chunk in chunks), key=lambda phoneme: phoneme == " ")
    return " ".join(lexicon.nearest(tuple(phonemes)) for space, phonemes in groups if not space)
