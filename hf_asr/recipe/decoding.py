"""From logits to text."""

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from hf_asr.recipe.fields import Number, Section, Whole, line


def _number_or_auto(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if value != "auto" and not number:
        raise ValueError(f"expected a number or `auto`, got {json.dumps(value, default=str)}")
    return value


Weight = Annotated[float | Literal["auto"], BeforeValidator(_number_or_auto)]


class LanguageModel(Section):
    """An n-gram model of words beside a CTC head, estimated from the training transcripts."""

    order: Whole = line(3, "length of its n-grams in words", ge=2, le=6)
    texts: tuple[str, ...] = line((), "text files to learn from, too: a sentence a line, plain or .gz")
    alpha: Weight = line("auto", "weight of its log probabilities; `auto`: best on validation")
    beta: Weight = line("auto", "added for every word; `auto`: best on validation")
    beam: Whole = line(50, "how many beginnings of a text are followed", ge=1)
    hotwords: tuple[str, ...] = line((), "words to prefer, e.g. names")
    hotword_bonus: Number = line(1.0, "added for every letter of a hotword", ge=0)


class Decoding(Section):
    """How logits become text, the same in training, evaluation and the saved folder."""

    beams: Whole = line(1, "Whisper's beam width; written into the saved generation config", ge=1)
    batch_seconds: Number = line(240, "seconds of audio decoded at once", gt=0)
    lm: LanguageModel | None = line(None, "CTC: measure the finished model with a language model, too")
