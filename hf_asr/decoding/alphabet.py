"""What the units of a CTC head write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import Wav2Vec2CTCTokenizer

from hf_asr.models.recogniser import CheckpointError


@dataclass(frozen=True)
class Alphabet:
    """Units by number; None for those that are never written, such as the blank and [UNK]."""

    written: tuple[str | None, ...]
    blank: int
    delimiter: int | None  # the unit that divides words; it writes a space

    def text(self, units: Sequence[int]) -> str:
        """The units' letters joined, without spaces at the ends."""
        return "".join(self.written[unit] or "" for unit in units).strip(" ")


def alphabet_of(tokenizer: Any, size: int) -> Alphabet:
    """The alphabet of a CTC tokenizer and its head of `size` units.

    Raises CheckpointError for a tokenizer that does more than join its units, and for units without a word delimiter.
    """
    if not isinstance(tokenizer, Wav2Vec2CTCTokenizer):
        raise CheckpointError(f"no beam search for the units of {type(tokenizer).__name__}: decode without --lm")
    names: dict[str, int] = tokenizer.get_vocab()
    delimiter = names.get(str(tokenizer.word_delimiter_token))
    if delimiter is None or delimiter >= size:
        raise CheckpointError("the head has no unit that divides words, and a language model needs words")
    special = set(tokenizer.all_special_tokens)
    written: list[str | None] = [None] * size
    for name, unit in names.items():
        if unit < size and name not in special:
            written[unit] = name.lower() if tokenizer.do_lower_case else name
    written[delimiter] = " "
    return Alphabet(tuple(written), int(tokenizer.pad_token_id), delimiter)
