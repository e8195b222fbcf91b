"""A beam search with its language model and weights, as it is kept in a model folder and used by transcribe.

    decoder.json            alpha, beta, beam, hotwords: everything but the model
    language_model/         lm.arpa; or a KenLM binary made from it, put in its place
    alphabet.json           with language_model/attrs.json and unigrams.txt: the same for pyctcdecode

The last are what Wav2Vec2ProcessorWithLM.from_pretrained reads, for those who have transformers 5, pyctcdecode and
kenlm, but not this package. A plain pipeline() does not look at any of it and decodes greedily.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from hf_asr import run
from hf_asr.decoding import arpa
from hf_asr.decoding.align import word_spans
from hf_asr.decoding.alphabet import Alphabet, alphabet_of
from hf_asr.decoding.beam import Found, Fusion, search
from hf_asr.decoding.ctc import best_path, groups, log_posteriors, read_path
from hf_asr.decoding.hypothesis import Hypothesis, ScoredWord
from hf_asr.decoding.lexicon import lexicon
from hf_asr.decoding.ngram import SPECIAL, LanguageModel, LanguageModelError, NGram, Penalised, known_words
from hf_asr.models.recogniser import CheckpointError, Recogniser
from hf_asr.recipe.fields import Number, Section, Share, Whole, line
from hf_asr.screen import say
from hf_asr.text.pronunciation import Pronunciations

SETTINGS, FOLDER, ARPA, ALPHABET = "decoder.json", "language_model", "lm.arpa", "alphabet.json"
BESIDE = ("attrs.json", "unigrams.txt")  # what else lies in FOLDER


class Weights(Section):
    """How the search is made and what it adds up: see hf_asr.decoding.beam."""

    alpha: Number
    beta: Number
    unknown: Number = line(0.0, "added to log10 p of a word that is new to the language model", le=0)
    beam: Whole = line(50, "how many beginnings of a text are followed", ge=1)
    least: Share = line(0.001, "units less probable in a frame begin no letter; measured in docs/decoding.md")
    hotwords: tuple[str, ...] = ()
    hotword_bonus: Number = 0.0


@dataclass(frozen=True)
class Decoder:
    lm: LanguageModel
    weights: Weights


Hear = Callable[[Recogniser, list[np.ndarray]], list[Tensor]]
Write = Callable[[Tensor, float | None], Hypothesis]


def ctc_way(recogniser: Recogniser, decoder: Decoder | None) -> tuple[Hear, Write]:
    """How a CTC recogniser hears samples, and how what it heard in the frames of a clip is written.

    The latter gives words their times when it is told the seconds of a frame. Raises CheckpointError for Whisper.
    """
    if decoder is None:
        return best_path, partial(read_path, recogniser)
    find = finder(recogniser, decoder)
    alphabet = alphabet_for(recogniser)

    def write(frames: Tensor, seconds_per_frame: float | None) -> Hypothesis:
        found = find(frames.numpy(), 1)
        if not found or not found[0].text or seconds_per_frame is None:
            return Hypothesis(found[0].text if found else "")
        spans = word_spans(frames.numpy(), found[0].units, alphabet)
        pairs = zip(found[0].text.split(" "), spans, strict=True)
        words = (
            ScoredWord(word, one.start * seconds_per_frame, one.end * seconds_per_frame, one.confidence, one.lowest)
            for word, one in pairs
        )
        return Hypothesis(found[0].text, tuple(words))

    return log_posteriors, write


def finder(recogniser: Recogniser, decoder: Decoder) -> Callable[[np.ndarray, int], list[Found]]:
    """From log probabilities [frames, units] and a number to so many texts, the first the best."""
    alphabet, weights = alphabet_for(recogniser), decoder.weights
    fusion = fused(alphabet, decoder, recogniser.lexicon)

    def find(frames: np.ndarray, best: int) -> list[Found]:
        found = search(frames, alphabet, fusion, weights.beam, weights.least, best)
        # of pronunciations none may be complete at the end
        return found or [_greedy(recogniser, alphabet, frames)]

    return find


def fused(alphabet: Alphabet, decoder: Decoder, said: Pronunciations | None = None) -> Fusion:
    """What a decoder adds to the sums over paths; `said`: where units are phonemes, the words they are read as."""
    weights = decoder.weights
    known = known_words(decoder.lm, weights.hotwords)
    lm = Penalised(decoder.lm, weights.unknown, known) if known and weights.unknown else decoder.lm
    words = lexicon(alphabet, lm, weights.hotwords, said)
    return Fusion(lm, weights.alpha, weights.beta, words, weights.hotword_bonus)


def _greedy(recogniser: Recogniser, alphabet: Alphabet, frames: np.ndarray) -> Found:
    """The best path, where the search has nothing."""
    path = torch.from_numpy(frames).argmax(-1)
    units: list[int] = []
    for group in groups(recogniser, path):
        units += ([alphabet.delimiter] if units and alphabet.delimiter is not None else []) + [one[0] for one in group]
    return Found(read_path(recogniser, path).text, float(frames.max(-1).sum()), 0.0, tuple(units))


def alphabet_for(recogniser: Recogniser) -> Alphabet:
    """The units of its head. Raises CheckpointError when no language model of words can go with them."""
    if recogniser.family == "whisper":
        raise CheckpointError("a language model goes with a CTC head; Whisper has one inside: leave it out")
    return alphabet_of(recogniser.processor.tokenizer, int(recogniser.model.config.vocab_size))


def save(decoder: Decoder, recogniser: Recogniser, folder: Path) -> None:
    """Into a model folder, in place of what lies there; decoder.json comes last and marks it as whole."""
    assert isinstance(decoder.lm, NGram)
    (folder / SETTINGS).unlink(missing_ok=True)
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    (folder / FOLDER).mkdir(parents=True)
    arpa.write(decoder.lm, folder / FOLDER / ARPA)
    if recogniser.lexicon is None:
        _beside(decoder, recogniser, folder)
    run.write_json(folder / SETTINGS, decoder.weights.model_dump())


def _beside(decoder: Decoder, recogniser: Recogniser, folder: Path) -> None:
    """What pyctcdecode asks for; it knows no pronunciations."""
    assert isinstance(decoder.lm, NGram)
    words = sorted(set(decoder.lm.words) - set(SPECIAL))
    weights = decoder.weights
    theirs = {"alpha": weights.alpha, "beta": weights.beta, "unk_score_offset": weights.unknown, "score_boundary": True}
    run.write_json(folder / FOLDER / BESIDE[0], theirs)
    run.write(folder / FOLDER / BESIDE[1], "".join(f"{word}\n" for word in words))
    run.write(folder / ALPHABET, json.dumps({"labels": _labels(recogniser), "is_bpe": False}))


def _labels(recogniser: Recogniser) -> list[str]:
    """Units by number as pyctcdecode names them."""
    tokenizer: Any = recogniser.processor.tokenizer
    roles = {tokenizer.pad_token: "", tokenizer.word_delimiter_token: " ", tokenizer.unk_token: "\u2047"}
    names = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [roles.get(name, name) for name, _ in names]


def load(folder: Path) -> Decoder:
    """What `save` left in a model folder. Raises LanguageModelError."""
    if not (folder / SETTINGS).is_file():
        hint = f" (did you mean {folder / run.MODEL}?)" if (folder / run.MODEL / SETTINGS).is_file() else ""
        raise LanguageModelError(f"no {SETTINGS} in {folder}: no language model was fitted there{hint}")
    try:
        weights = Weights.model_validate(run.read_json(folder / SETTINGS))
    except (ValidationError, ValueError) as error:
        raise LanguageModelError(f"{folder / SETTINGS}: {error}") from error
    found = sorted(path for path in (folder / FOLDER).glob("[!.]*") if path.name not in BESIDE)
    if len(found) != 1:
        raise LanguageModelError(f"{folder / FOLDER} must hold one language model, and holds {len(found)}")
    words = folder / FOLDER / BESIDE[1]
    known = words.read_text(encoding="utf-8").split("\n")[:-1] if words.is_file() else ()
    return Decoder(arpa.load(found[0], known), weights)


def asked(lm: Path | None, model: str) -> Decoder | None:
    """The decoder in the folder `lm` that a command was given. Raises LanguageModelError.

    Without one it is None: text is read greedily, as pipeline() reads it, one beside the model is told of.
    """
    if lm is None and (Path(model) / SETTINGS).is_file():
        say(f"[yellow]hint[/] a language model lies in {model} and is not used, as by pipeline(): add --lm {model}")
    return None if lm is None else load(lm)
