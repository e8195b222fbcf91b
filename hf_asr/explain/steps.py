"""One clip followed step by step, from sound to text: what `hf-asr explain` shows, computed and not yet drawn.

The steps are those of transcribe, called one by one: the same logits, the same best path, the same search. Whisper's
are in hf_asr.explain.whisper, the beam's growth and the language model's share in hf_asr.explain.search.
"""

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hf_asr import recipe
from hf_asr.app.systems import shown
from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.decoding.alphabet import alphabet_of
from hf_asr.decoding.ctc import frame_logits, read_path
from hf_asr.decoding.decoder import Decoder, alphabet_for, asked
from hf_asr.decoding.hypothesis import Word
from hf_asr.decoding.ngram import Floats
from hf_asr.decoding.transcribe import LONG_SECONDS
from hf_asr.errors import UserError
from hf_asr.explain.search import Search, plain, search, with_lm
from hf_asr.explain.whisper import Written, look
from hf_asr.models.checkpoints import from_folder, saved_beams
from hf_asr.models.recogniser import CheckpointError, Recogniser, frame_counter


@dataclass(frozen=True)
class Clip:
    name: str
    samples: np.ndarray  # float32 [samples] at 16 kHz, of the first 30 s
    whole: float  # seconds of the recording

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


@dataclass(frozen=True)
class Run:
    """Frames in a row with the same best unit: `start` to `end`, exclusive."""

    unit: int
    start: int
    end: int
    posterior: float  # mean over the frames


@dataclass(frozen=True)
class Heard:
    """What a CTC network made of a clip, and what was made of that."""

    frames: Floats  # natural log probabilities [frames, units]
    path: tuple[int, ...]  # the best unit of each frame
    names: tuple[str, ...]  # of the units
    blank: int
    delimiter: int | None
    text: str  # the best path's, as pipeline() and transcribe write it
    words: tuple[Word, ...]  # where they lie; in seconds, or in frames of a sound that was never recorded
    search: Search | None  # none for units that the beam search does not know
    without: str = ""  # why there is none


@dataclass(frozen=True)
class Explained:
    """`heard` by a CTC network, or `written` by Whisper."""

    clip: Clip
    model: str
    heard: Heard | None = None
    written: Written | None = None


def explain(file: Path, model: str, lm: Path | None = None, language: str | None = None) -> Explained:
    """A recording's first 30 s through a model; `lm`: a model folder with a language model, for CTC.

    Raises AudioError for a file that cannot be read, CheckpointError for a model without a head and for a language
    model beside Whisper, LanguageModelError for a folder that holds none.
    """
    clip = listen(file)
    decoder = asked(lm, model)
    recogniser = from_folder(model, recipe.Whisper(), language)
    recogniser.model.to("cuda" if torch.cuda.is_available() else "cpu")
    if decoder is not None:
        alphabet_for(recogniser)  # says what is wrong with a language model here
    if recogniser.family == "whisper":
        written = look(recogniser, clip.samples, saved_beams(recogniser))
        return Explained(clip, shown(model), written=written)
    return Explained(clip, shown(model), heard=hear(recogniser, clip.samples, decoder))


def listen(file: Path) -> Clip:
    """Raises AudioError when there is nothing to hear."""
    samples = decode({"path": str(file), "bytes": None})
    if not len(samples):
        raise AudioError(f"{file.name} holds no sound (0 samples)")
    return Clip(file.name, samples[: round(LONG_SECONDS * RATE)], len(samples) / RATE)


@torch.no_grad()
def hear(recogniser: Recogniser, samples: np.ndarray, decoder: Decoder | None) -> Heard:
    """A CTC recogniser's way through samples [samples] of up to 30 s, with the text that transcribe gives."""
    recogniser.model.eval()
    seconds = len(samples) / RATE
    counted = frame_counter(recogniser)
    assert counted is not None
    if counted(len(samples)) < 1:
        raise AudioError(f"{seconds:.3f} s are too short: the network makes no frame of them")
    (logits,) = frame_logits(recogniser, [samples])
    frames = logits.float().log_softmax(-1).cpu().numpy()
    if not np.isfinite(frames).any(axis=1).all():
        raise UserError("the network gives no numbers (nan) for this clip: its training diverged")
    # of the logits, as transcribe has it: softmax may round two to one number
    path = logits.argmax(-1).cpu()
    read = read_path(recogniser, path, seconds / len(path))
    names, blank, delimiter = units(recogniser, frames.shape[1])
    found, without = None, ""
    try:
        alphabet = alphabet_of(recogniser.processor.tokenizer, frames.shape[1])
        said = recogniser.lexicon
        way = plain(alphabet, said) if decoder is None else with_lm(alphabet, decoder, said)
        found = search(frames, alphabet, way, path.tolist(), read.text)
    except CheckpointError as error:
        without = str(error)
    return Heard(frames, tuple(path.tolist()), names, blank, delimiter, read.text, read.words, found, without)


def units(recogniser: Recogniser, size: int) -> tuple[tuple[str, ...], int, int | None]:
    """The names of a head's units, which of them is blank, and which divides words."""
    tokenizer: Any = recogniser.processor.tokenizer
    known: dict[str, int] = tokenizer.get_vocab()
    names = {unit: name for name, unit in known.items()}
    delimiter = known.get(str(getattr(tokenizer, "word_delimiter_token", None)))
    return tuple(names.get(unit, f"#{unit}") for unit in range(size)), int(tokenizer.pad_token_id), delimiter


def runs(path: tuple[int, ...], frames: Floats) -> list[Run]:
    """The first rule of CTC: units that repeat are one."""
    found, start = [], 0
    for unit, own in groupby(path):
        end = start + len(list(own))
        found.append(Run(unit, start, end, float(np.exp(frames[start:end, unit]).mean())))
        start = end
    return found


def kept(found: list[Run], blank: int) -> list[Run]:
    """The second rule: blanks are dropped."""
    return [run for run in found if run.unit != blank]


def top(frames: Floats, count: int = 3) -> list[list[tuple[int, float]]]:
    """Of every frame the most probable units with their probabilities."""
    order = np.argsort(-frames, axis=1, kind="stable")[:, :count]
    return [[(int(unit), float(np.exp(row[unit]))) for unit in best] for row, best in zip(frames, order, strict=True)]
