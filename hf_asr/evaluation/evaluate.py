"""A recogniser on a table of clips: hypotheses, scores, and how fast they came."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset

from hf_asr import recipe
from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.data.tables import DataError
from hf_asr.decoding.decoder import Decoder
from hf_asr.decoding.transcribe import transcribe
from hf_asr.evaluation.metrics import Score, score
from hf_asr.models.recogniser import Recogniser
from hf_asr.text.normalise import normalise


@dataclass(frozen=True)
class Prediction:
    """One clip: the transcript as written, what was heard, and both sides as the metric compares them."""

    id: str
    transcript: str
    hypothesis: str
    reference: str  # the transcript after metric normalisation
    normalised: str  # the hypothesis after metric normalisation
    seconds: float
    speaker: str | None


@dataclass(frozen=True)
class Evaluation:
    score: Score
    predictions: tuple[Prediction, ...]
    unreadable: tuple[str, ...]  # ids; they count as if nothing had been heard
    took: float  # seconds of wall time, audio reading included
    real_time_factor: float  # took / seconds of audio


def require_words(clips: Dataset, metric: recipe.Text, language: str | None, place: str) -> None:
    """Raises DataError, which names `place`, when an error rate would have no meaning."""
    if not len(clips):
        raise DataError(f"{place}: no clips")
    if not any(normalise(text, metric, language).split() for text in clips["raw"][:]):
        raise DataError(f"{place}: `metric` leaves no word of any of its {len(clips)} transcripts")


def evaluate(
    recogniser: Recogniser,
    clips: Dataset,
    metric: recipe.Text,
    language: str | None,
    decoding: recipe.Decoding,
    full_context: bool,
    decoder: Decoder | None = None,
) -> Evaluation:
    """WER and CER of `clips`, read greedily or with a `decoder`.

    The clips are shared among the processes of a distributed run; all get the whole result.
    """
    state, started = PartialState(), time.perf_counter()
    seconds = [float(s) for s in clips["seconds"][:]]
    mine = list(range(state.process_index, len(clips), state.num_processes))
    unreadable: list[int] = []

    def read(index: int) -> np.ndarray:
        try:
            return decode(clips[mine[index]]["audio"])
        except AudioError:
            unreadable.append(mine[index])
            return np.zeros(RATE // 10, np.float32)

    heard = transcribe(
        recogniser, read, [seconds[i] for i in mine], full_context, decoding.batch_seconds, decoding.beams, decoder
    )
    texts = dict(_gathered([(mine[i], hypothesis.text) for i, hypothesis in heard]))
    lost = set(_gathered(unreadable))
    hypotheses = ["" if index in lost else texts[index] for index in range(len(clips))]
    took = time.perf_counter() - started
    predictions = tuple(_predictions(clips, hypotheses, seconds, metric, language))
    return Evaluation(
        score=score(
            [p.reference for p in predictions],
            [p.normalised for p in predictions],
            speakers=[p.speaker for p in predictions],
        ),
        predictions=predictions,
        unreadable=tuple(predictions[index].id for index in sorted(lost)),
        took=took,
        real_time_factor=took / sum(seconds),
    )


def _gathered(mine: list[Any]) -> list[Any]:
    return list(gather_object(mine)) if PartialState().num_processes > 1 else mine


def _predictions(
    clips: Dataset, hypotheses: Sequence[str], seconds: Sequence[float], metric: recipe.Text, language: str | None
) -> list[Prediction]:
    columns = zip(clips["id"][:], clips["raw"][:], clips["speaker"][:], hypotheses, seconds, strict=True)
    return [
        Prediction(
            id=name,
            transcript=raw,
            hypothesis=hypothesis,
            reference=normalise(raw, metric, language),
            normalised=normalise(hypothesis, metric, language),
            seconds=length,
            speaker=speaker,
        )
        for name, raw, speaker, hypothesis, length in columns
    ]
