"""Language models in files: ARPA, plain or gzipped, read and written; KenLM's binaries through the kenlm package."""

import gzip
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, cast

import numpy as np

from hf_asr.decoding.ngram import EMPTY, UNKNOWN, Floats, Integers, LanguageModel, LanguageModelError, NGram

GZIP, KENLM = b"\x1f\x8b", b"mmap lm http://kheafield.com/code"  # how such files begin
ASCII_SPACE = re.compile("[ \t]+")  # a word may hold other white space
NEVER = -100.0  # log10 p(<unk>) of a file without <unk>, as KenLM has it


def load(path: Path, vocabulary: Sequence[str] = ()) -> LanguageModel:
    """An ARPA file or a KenLM binary, told apart by how they begin; `vocabulary`: the words of a binary, where known.

    Raises LanguageModelError.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(KENLM))
    except OSError as error:
        raise LanguageModelError(f"cannot read the language model {path}: {error.strerror}") from error
    return KenLM(path, vocabulary) if begin == KENLM else read(path)


def write(model: NGram, path: Path) -> None:
    """An ARPA file that KenLM and others read; gzipped when the name ends in .gz. Nine digits: read as written."""
    words = list(model.words)
    size, trie = len(words), model.trie
    with _open(path, "wt") as file:
        counts = "".join(f"ngram {length}={count}\n" for length, count in enumerate(model.counts, 1))
        file.write(f"\\data\\\n{counts}")
        before: Sequence[str] = [""]
        start = 0
        for length, (first, end) in enumerate(zip(model.first[:-1], model.first[1:], strict=True), 1):
            histories, last = np.divmod(trie.keys[first:end], size)
            texts = [
                before[history] + words[word]
                for history, word in zip((histories - start).tolist(), last.tolist(), strict=True)
            ]
            numbers = (array[first:end].tolist() for array in (trie.log10, trie.backoff))
            rows = zip(texts, *numbers, strict=True)
            file.write(f"\n\\{length}-grams:\n")
            if length < model.order:
                file.writelines(f"{log10:.9g}\t{text}\t{backoff:.9g}\n" for text, log10, backoff in rows)
            else:
                file.writelines(f"{log10:.9g}\t{text}\n" for text, log10, _ in rows)
            before, start = [text + " " for text in texts], first
        file.write("\n\\end\\\n")


def read(path: Path) -> NGram:
    """The model in an ARPA file. Raises LanguageModelError, with the line where something is wrong with it."""
    try:
        with _open(path, "rt") as file:
            return _parse(_Lines(file, path))
    except UnicodeDecodeError as error:
        raise LanguageModelError(f"{path} is no ARPA file and no KenLM binary: it is not text in UTF-8") from error
    except (OSError, EOFError) as error:
        raise LanguageModelError(f"cannot read the language model {path}: {error}") from error


def _open(path: Path, mode: str) -> IO[str]:
    if mode == "rt":
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
    else:
        packed = path.suffix == ".gz"
    # no other line ends: a word may hold a character that Python, too, takes for one
    if packed:
        return cast(IO[str], gzip.open(path, mode, encoding="utf-8", newline="\n"))
    return path.open(mode, encoding="utf-8", newline="\n")


class _Lines(Iterator[str]):
    """The lines of a file without their ends, and what to say when one is wrong."""

    def __init__(self, file: Iterable[str], path: Path) -> None:
        self.lines, self.path, self.number = iter(file), path, 0

    def __next__(self) -> str:
        self.number += 1
        return next(self.lines).rstrip("\r\n")

    def wrong(self, told: str) -> LanguageModelError:
        return LanguageModelError(f"{self.path}, line {self.number}: {told}")


def _parse(lines: _Lines) -> NGram:
    counts, section = _header(lines)
    words: dict[str, int] = {}
    trie, first = EMPTY, [1]
    for length, count in enumerate(counts, 1):
        if section != f"\\{length}-grams:":
            raise lines.wrong(f"expected \\{length}-grams:, got {section[:40]!r}")
        ids, log10, backoff = _section(lines, count, length, words)
        history = np.zeros(len(ids), np.int64)
        for place in range(length - 1):
            history = trie.child(history, ids[:, place], len(words))
        if (history < 0).any():
            raise lines.wrong(f"of some {length}-gram the first {length - 1} words are no {length - 1}-gram")
        try:
            trie, _ = trie.grown(history, ids[:, -1], log10, backoff, len(words))
        except LanguageModelError as error:
            raise lines.wrong(str(error)) from error
        first.append(len(trie.keys))
        section = next((line.strip() for line in lines if line.strip()), "")
    if section != "\\end\\":
        raise lines.wrong("expected \\end\\: the file is cut short, or holds more n-grams than it says")
    return NGram(words, trie, tuple(first))


def _header(lines: _Lines) -> tuple[list[int], str]:
    """The number of n-grams of each length, and the line that begins the first section."""
    if not any(line.strip() == "\\data\\" for line in lines):
        raise lines.wrong("there is no \\data\\: it is no ARPA file")
    counts: list[int] = []
    for line in map(str.strip, lines):
        name, _, count = line.partition("=")
        if line and name.split() != ["ngram", str(len(counts) + 1)]:
            return counts, line
        if line:
            if not count.strip().isdecimal():
                raise lines.wrong(f"expected a number of n-grams, got {line[:40]!r}")
            counts.append(int(count))
    raise lines.wrong("the file is cut short")


def _section(lines: _Lines, count: int, length: int, words: dict[str, int]) -> tuple[Integers, Floats, Floats]:
    """The n-grams of one length: word numbers [n, length], log10 of probabilities and of back-off weights [n]."""
    ids, log10, backoff = array("q"), array("f"), array("f")
    for line in islice(lines, count):
        fields = ASCII_SPACE.split(line.strip(" \t"))
        if not length < len(fields) <= length + 2:
            raise lines.wrong(f"expected log10 p, {length} words and perhaps a back-off weight, got {line[:80]!r}")
        if length == 1:
            words.setdefault(fields[1], len(words))
        try:
            ids.extend(words[word] for word in fields[1 : length + 1])
            numbers = float(fields[0]), float(fields[length + 1]) if len(fields) == length + 2 else 0.0
        except KeyError as error:
            raise lines.wrong(f"the word {error} is not among the 1-grams") from error
        except ValueError as error:
            raise lines.wrong(str(error)) from error
        if not (numbers[0] <= 0 and all(map(math.isfinite, numbers))):
            raise lines.wrong(f"{fields[0]} is not the logarithm of a probability")
        log10.append(numbers[0])
        backoff.append(numbers[1])
    if length == 1 and UNKNOWN not in words:
        words[UNKNOWN] = len(words)
        ids.append(words[UNKNOWN])
        log10.append(NEVER)
        backoff.append(0.0)
    return np.array(ids).reshape(-1, length), np.array(log10), np.array(backoff)


class KenLM:
    """A KenLM binary, asked through the kenlm package; its states are numbered as they are met."""

    def __init__(self, path: Path, vocabulary: Sequence[str] = ()) -> None:
        """Raises LanguageModelError without the package, and for a file that it cannot read."""
        try:
            import kenlm
        except ImportError as error:
            told = f'{path} is a KenLM binary: pip install "hf-asr[lm]", or use the ARPA file it was made from'
            raise LanguageModelError(told) from error
        try:
            self.model = kenlm.Model(str(path))
        except OSError as error:
            raise LanguageModelError(f"cannot read the language model {path}: {error}") from error
        begin, nothing = kenlm.State(), kenlm.State()
        self.model.BeginSentenceWrite(begin)
        self.model.NullContextWrite(nothing)
        self.vocabulary = vocabulary
        self.new, self.start, self.empty = kenlm.State, 0, 1
        self.states, self.numbers = [begin, nothing], {begin: 0, nothing: 1}

    def step(self, states: Integers, words: Sequence[str]) -> tuple[Floats, Integers]:
        """log10 p(word | state) and the state after it, each [n], for n states with a word each."""
        log10, after = np.empty(len(words)), np.empty(len(words), np.int64)
        for row, (state, word) in enumerate(zip(states.tolist(), words, strict=True)):
            reached = self.new()
            log10[row] = self.model.BaseScore(self.states[state], word, reached)
            after[row] = self.numbers.setdefault(reached, len(self.states))
            if after[row] == len(self.states):
                self.states.append(reached)
        return log10, after
