"""What a CTC head predicts: letters, pieces of words or phonemes, learned from the training transcripts only.

All are read back by the stock Wav2Vec2CTCTokenizer, which groups repeats, drops the blank, joins
what is left and writes the word delimiter as a space; so a saved model needs nothing of this package. Of phonemes it
makes no words: those are found in the lexicon that the tokenizer keeps (hf_asr.text.pronunciation).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Wav2Vec2CTCTokenizer

from hf_asr.errors import UserError
from hf_asr.recipe import Units
from hf_asr.text.pronunciation import Pronunciations

BLANK, UNKNOWN, DELIMITER = "[PAD]", "[UNK]", "|"
SPECIAL = (BLANK, UNKNOWN, DELIMITER)

# keys of tokenizer_config.json with the fitted subword model, and with lines of word, tab, phonemes: they travel with
# every save_pretrained
SUBWORDS, LEXICON = "subword_model", "lexicon"


class UnitsError(UserError):
    """These units cannot be learned from these transcripts; the message says what to change."""


@dataclass(frozen=True)
class Vocabulary:
    """Units by id: blank, unknown, word delimiter, then the others sorted; `subwords` is a tokenizers model."""

    tokens: tuple[str, ...]
    subwords: str | None = None
    lexicon: Pronunciations | None = None  # of phonemes


def build(texts: Iterable[str], units: Units) -> Vocabulary:
    """The units of normalised training transcripts.

    `|` divides words, so as a character of a transcript it is no unit: `unknown_characters` reports it.
    Raises UnitsError for transcripts without a letter and for fewer subwords than there are letters.
    """
    words = [word for text in texts for word in text.replace(DELIMITER, " ").split()]
    letters = sorted(set("".join(words)))
    if not letters:
        raise UnitsError("the training transcripts have no letters")
    if units.kind == "character":
        return Vocabulary((*SPECIAL, *letters))
    if units.size < len(letters):
        raise UnitsError(
            f"units.size is {units.size}, but the training transcripts have {len(letters)} different letters: "
            "set a larger size, or `kind: character`"
        )
    fitted = _fit(words, units)
    pieces = set(fitted.get_vocab()) | set(letters)
    return Vocabulary((*SPECIAL, *sorted(pieces - set(SPECIAL))), fitted.to_str())


def phonemes(lexicon: Pronunciations) -> Vocabulary:
    """The units of these pronunciations. Raises UnitsError when there are none, or one has a name that is taken."""
    if not lexicon.phonemes:
        raise UnitsError("no word of the training transcripts has a pronunciation: see units.lexicon and `language`")
    if taken := sorted(set(lexicon.phonemes) & set(SPECIAL)):
        raise UnitsError(f"a phoneme cannot be called {' or '.join(taken)}: rename it in the lexicon")
    return Vocabulary((*SPECIAL, *lexicon.phonemes), lexicon=lexicon)


def ctc_tokenizer(vocabulary: Vocabulary, folder: Path) -> Wav2Vec2CTCTokenizer:
    """The tokenizer of a vocabulary, its files written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    vocab = folder / "vocab.json"
    ids = {token: id_ for id_, token in enumerate(vocabulary.tokens)}
    vocab.write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    kept: dict[str, Any] = {} if vocabulary.subwords is None else {SUBWORDS: vocabulary.subwords}
    if vocabulary.lexicon is not None:
        kept[LEXICON] = vocabulary.lexicon.lines
    stock: Any = Wav2Vec2CTCTokenizer  # its arguments have no types
    tokenizer: Wav2Vec2CTCTokenizer = stock(
        str(vocab),
        # without None both would be appended, and the head would have two units that nothing trains
        bos_token=None,
        eos_token=None,
        unk_token=UNKNOWN,
        pad_token=BLANK,
        word_delimiter_token=DELIMITER,
        do_lower_case=False,
        clean_up_tokenization_spaces=False,
        **kept,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """Text to unit ids, for tokenizers of ours, fresh or reloaded, and for those of any CTC checkpoint."""
    if (lexicon := lexicon_of(tokenizer)) is not None:
        return _by_phonemes(tokenizer, lexicon)
    saved = tokenizer.init_kwargs.get(SUBWORDS)
    if saved is None:
        return lambda text: list(tokenizer(" ".join(text.split()), add_special_tokens=False).input_ids)
    # the stock tokenizer would take the longest piece at each place, which is not what was fitted
    fitted, unknown, ids = Tokenizer.from_str(saved), tokenizer.unk_token_id, tokenizer.get_vocab()

    @cache
    def pieces(word: str) -> tuple[int, ...]:
        return tuple(ids.get(piece, unknown) for piece in fitted.encode(word).tokens)

    return _word_by_word(pieces, tokenizer.word_delimiter_token_id)


def lexicon_of(tokenizer: Any) -> Pronunciations | None:
    """The words of a tokenizer whose units are phonemes; None for other units."""
    lines = getattr(tokenizer, "init_kwargs", {}).get(LEXICON)
    return None if lines is None else Pronunciations.read(lines)


def _by_phonemes(tokenizer: Any, lexicon: Pronunciations) -> Callable[[str], list[int]]:
    """Words in the first of their pronunciations; a word outside the lexicon is one unknown unit."""
    ids, unknown = tokenizer.get_vocab(), tokenizer.unk_token_id
    labels = {word: tuple(ids.get(phoneme, unknown) for phoneme in ways[0]) for word, ways in lexicon.of.items()}
    return _word_by_word(lambda word: labels.get(word, (unknown,)), tokenizer.word_delimiter_token_id)


def _word_by_word(units_of: Callable[[str], tuple[int, ...]], delimiter: int) -> Callable[[str], list[int]]:
    def encode(text: str) -> list[int]:
        units: list[int] = []
        for word in text.replace(DELIMITER, " ").split():
            units += ([delimiter] if units else []) + list(units_of(word))
        return units

    return encode


def unknown_characters(tokenizer: Any, text: str) -> set[str]:
    """Characters the tokenizer has no unit for; its word delimiter, too, would come back as a space."""
    delimiter = getattr(tokenizer, "word_delimiter_token", None)
    upper = getattr(tokenizer, "do_lower_case", False)  # such a vocabulary is upper case, its output lower

    def known(char: str) -> bool:
        id_ = tokenizer.convert_tokens_to_ids(char.upper() if upper else char)
        return char != delimiter and id_ is not None and id_ != tokenizer.unk_token_id

    return {char for char in set(text) if not char.isspace() and not known(char)}


def mostly_known(tokenizer: Any, texts: Sequence[str], share: float = 0.9) -> bool:
    """Whether the tokenizer has units for at least this share of the characters."""
    counts = Counter(char for text in texts for char in text if not char.isspace())
    unknown = unknown_characters(tokenizer, "".join(counts))
    return sum(counts[char] for char in unknown) <= (1 - share) * sum(counts.values())


def letters(tokenizer: Any) -> list[str]:
    """The single characters a tokenizer writes."""
    delimiter, lower = tokenizer.word_delimiter_token, getattr(tokenizer, "do_lower_case", False)
    single = (token for token in tokenizer.get_vocab() if len(token) == 1 and token != delimiter)
    return sorted(token.lower() if lower else token for token in single)


def is_of_letters(tokenizer: Any) -> bool:
    """Whether it writes no piece longer than a character."""
    special = {*tokenizer.all_special_tokens, tokenizer.word_delimiter_token}
    return all(len(token) == 1 for token in tokenizer.get_vocab() if token not in special)


def shared(before: Any | None, after: Any) -> dict[int, int]:
    """Ids of `after`'s units → ids of the same in `before`, else of the other case; blank and delimiter by role."""
    if before is None:
        return {}
    ids = before.get_vocab()
    roles = {getattr(after, role): getattr(before, role) for role in ("pad_token", "unk_token", "word_delimiter_token")}
    found = {}
    for token, number in after.get_vocab().items():
        names = (roles.get(token, token), token.upper(), token.lower())
        known = next((ids[name] for name in names if name in ids), None)
        if known is not None:
            found[number] = known
    return found


def _fit(words: list[str], units: Units) -> Tokenizer:
    """A unigram (arXiv:1804.10959) or BPE (arXiv:1508.07909) model of pieces that do not span words."""
    common: dict[str, Any] = {"special_tokens": [UNKNOWN], "vocab_size": units.size + 1, "show_progress": False}
    trainer: trainers.Trainer
    if units.algorithm == "bpe":
        fitted, trainer = Tokenizer(models.BPE(unk_token=UNKNOWN)), trainers.BpeTrainer(**common)
    else:
        fitted, trainer = Tokenizer(models.Unigram()), trainers.UnigramTrainer(unk_token=UNKNOWN, **common)
    fitted.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fitted.train_from_iterator(words, trainer)
    return fitted if units.algorithm == "bpe" else _settled(fitted)


def _settled(fitted: Tokenizer) -> Tokenizer:
    """The same unigram model in every process, which tokenizers' is not."""
    state = json.loads(fitted.to_str())
    unknown, *scores = state["model"]["vocab"]
    # letters that the fit gave up come back with the lowest score plus 0, 1, 2, ... ten-thousandths in random order
    floor = min(score for _, score in scores)
    given_up = floor + 1e-4 * sum(len(piece) == 1 for piece, _ in scores)
    # and last digits differ, because sums are made in random order
    settled = [[piece, round(floor if len(piece) == 1 and score <= given_up else score, 6)] for piece, score in scores]
    state["model"]["vocab"] = [unknown, *sorted(settled)]
    return Tokenizer.from_str(json.dumps(state))
