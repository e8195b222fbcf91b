"""A language model for a trained CTC network: estimated from its training transcripts, weighed on validation."""

import gzip
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from datasets import Dataset

from hf_asr import recipe
from hf_asr.data.splits import transcript_key
from hf_asr.decoding.alphabet import Alphabet
from hf_asr.decoding.decoder import Decoder, Weights, alphabet_for
from hf_asr.decoding.kneser_ney import Estimate, estimate
from hf_asr.decoding.ngram import LanguageModelError, perplexity
from hf_asr.decoding.tune import START, hear, tuned
from hf_asr.models.recogniser import Recogniser
from hf_asr.screen import say
from hf_asr.text.normalise import normalise

LEAK_WORDS = 4  # a transcript shorter than this is found inside a line by chance


def fit_decoder(
    recogniser: Recogniser,
    transcripts: Iterable[str],
    validation: Dataset,
    test_transcripts: Iterable[str],
    decoding: recipe.Decoding,
    text: recipe.Text,
    metric: recipe.Text,
    language: str | None,
) -> Decoder:
    """The decoder of decoding.lm. `transcripts`: of the training side, normalised by `text`, as the others are.

    Test transcripts serve for one thing: to be kept out of what text files bring. Raises CheckpointError
    for a head that writes no words, LanguageModelError for files that cannot be read.
    """
    settings = decoding.lm
    assert settings is not None
    alphabet, spoken = alphabet_for(recogniser), validation["text"][:]
    files = HeldOut([*spoken, *test_transcripts])
    learned = estimate(filter(None, chain(transcripts, brought(settings, files, text, language))), settings.order)
    _tell(learned, files.found, spoken)
    weights = Weights(
        alpha=START[0] if settings.alpha == "auto" else settings.alpha,
        beta=START[1] if settings.beta == "auto" else settings.beta,
        beam=settings.beam,
        hotwords=tuple(_writable(recogniser, alphabet, hotwords(settings, text, language))),
        hotword_bonus=settings.hotword_bonus,
        # a phoneme that is hardly heard may be all that keeps the right word possible
        **({} if recogniser.lexicon is None else {"least": 0.0}),
    )
    clips = hear(recogniser, validation, metric, language, decoding.batch_seconds)
    free = (settings.alpha == "auto", settings.beta == "auto")
    return tuned(recogniser, Decoder(learned.model, weights), clips, free, metric, language)


def brought(
    settings: recipe.LanguageModel, held_out: "HeldOut", text: recipe.Text, language: str | None
) -> Iterator[str]:
    """The lines of decoding.lm.texts, normalised, less those that hold a transcript. Raises LanguageModelError."""
    given = (line for path in settings.texts for line in lines(Path(path).expanduser()))
    return held_out.without(normalise(line, text, language) for line in given)


def hotwords(settings: recipe.LanguageModel, text: recipe.Text, language: str | None) -> list[str]:
    return [normalise(word, text, language) for word in settings.hotwords]


def lines(path: Path) -> Iterator[str]:
    """The lines of a text file in UTF-8, plain or .gz. Raises LanguageModelError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise LanguageModelError(f"decoding.lm.texts: {path} is not text in UTF-8") from error
    except (OSError, EOFError) as error:
        raise LanguageModelError(f"decoding.lm.texts: cannot read {path}: {error}") from error


class HeldOut:
    """Transcripts that no language model may have seen, and how many lines of other texts had one in them."""

    def __init__(self, transcripts: Iterable[str]) -> None:
        self.whole = {transcript_key(text) for text in transcripts}
        self.begins: dict[tuple[str, ...], list[list[str]]] = {}
        for words in map(str.split, self.whole):
            if len(words) >= LEAK_WORDS:
                self.begins.setdefault(tuple(words[:LEAK_WORDS]), []).append(words)
        self.found = 0

    def without(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts, less those that are or hold a transcript."""
        for text in texts:
            if self._holds(text):
                self.found += 1
            else:
                yield text

    def _holds(self, text: str) -> bool:
        words = transcript_key(text).split()  # whatever its case and punctuation
        return " ".join(words) in self.whole or any(
            words[at : at + len(transcript)] == transcript
            for at in range(len(words) - LEAK_WORDS + 1)
            for transcript in self.begins.get(tuple(words[at : at + LEAK_WORDS]), ())
        )


def _writable(recogniser: Recogniser, alphabet: Alphabet, words: Sequence[str]) -> Iterator[str]:
    """Hotwords that the units can write; the others are told."""
    letters = set("".join(filter(None, alphabet.written)))
    for word in filter(None, words):
        if recogniser.lexicon is not None:
            if outside := recogniser.lexicon.outside(word):
                say(f"  [yellow]warning[/] hotword {word!r}: no pronunciation of {' '.join(sorted(outside))}")
            else:
                yield word
        elif strange := set(word) - letters:
            say(f"  [yellow]warning[/] hotword {word!r}: no unit writes {' '.join(sorted(strange))}")
        else:
            yield word


def _tell(learned: Estimate, held_out: int, validation: Sequence[str]) -> None:
    model, words = learned.model, [word for text in validation for word in text.split()]
    unknown = sum(word not in model.words for word in words) / max(len(words), 1)
    say(
        f"[bold]language model[/]  {model.order}-grams of {learned.sentences:,} sentences, {learned.tokens:,} words:"
        f" {' + '.join(f'{count:,}' for count in model.counts)}; on validation"
        f" perplexity {perplexity(model, validation):,.0f}, {unknown:.1%} of the words are new to it"
    )
    if held_out:
        say(f"  {held_out:,} lines of decoding.lm.texts hold a transcript of validation or test and were left out")
    for order in learned.fallback:
        counts = "too few counts to estimate discounts" if order > 1 else "too few words that are rare"
        say(f"  {order}-grams: {counts}; 0.5, 1 and 1.5 are used")
