"""The recordings of the clips with the most errors, kept in the run folder for the report to play."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import soundfile
from datasets import Dataset

from hf_asr import run
from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.evaluation.evaluate import Prediction
from hf_asr.evaluation.metrics import per_utterance

KEPT = 20


def keep_worst(folder: Path, clips: Dataset, predictions: Sequence[Prediction], limit: int = KEPT) -> None:
    """Write audio/0.ogg ... and audio/index.json, {clip id: file}; a clip without errors is not kept.

    Ogg Opus, some 4 kB a second. `predictions` are of `clips`, in order.
    """
    errors, _ = per_utterance([p.reference for p in predictions], [p.normalised for p in predictions])
    worst = [int(number) for number in (-errors).argsort(kind="stable")[:limit] if errors[number]]
    shutil.rmtree(folder / run.AUDIO, ignore_errors=True)
    index: dict[str, str] = {}
    for number in worst:
        try:
            samples = decode(clips[number]["audio"])
        except AudioError:
            continue  # its place in results.json is among the unreadable
        file = f"{len(index)}.ogg"
        (folder / run.AUDIO).mkdir(exist_ok=True)
        soundfile.write(folder / run.AUDIO / file, samples, RATE, format="OGG", subtype="OPUS")
        index[predictions[number].id] = file
    if index:
        run.write_json(folder / run.AUDIO / "index.json", index)
