"""What a recogniser writes where nobody speaks: words out of silence and noise are hallucinated.

Whisper is known for it (arXiv:2501.11378). Counted before and after, it shows whether fine-tuning made it worse.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hf_asr import recipe
from hf_asr.decoding.transcribe import RATE, transcribe
from hf_asr.models.recogniser import Recogniser
from hf_asr.text.normalise import normalise

CLIPS = 20  # of each kind
SECONDS = (1.0, 10.0)  # the shortest and the longest; the others lie evenly between
WHITE_DBFS, PINK_DBFS = -40.0, -30.0  # root mean square, over a full scale of 1


def sounds(clips: int = CLIPS, seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Sounds without speech by name, float32 [samples] at 16 kHz each; the same on every machine."""
    draw = np.random.default_rng(seed)
    sizes = [round(seconds * RATE) for seconds in np.linspace(*SECONDS, clips)]
    return {
        "silence": [np.zeros(size, np.float32) for size in sizes],
        "white noise": [_at(draw.normal(size=size), WHITE_DBFS) for size in sizes],
        "pink noise": [_at(_pink(draw.normal(size=size)), PINK_DBFS) for size in sizes],
    }


def probe(
    recogniser: Recogniser, metric: recipe.Text, language: str | None, decoding: recipe.Decoding, clips: int = CLIPS
) -> dict[str, dict[str, int]]:
    """For each sound, how many of its clips it wrote any word for, and how many words; as pipeline() hears them.

    To Whisper every silence is the same 30 s of zeros: one is read for all, and it speaks in none or in all.
    wav2vec2 brings its input to one loudness: it hears noise at any level alike.
    """
    found = {}
    for name, samples in sounds(clips).items():
        if recogniser.family == "whisper" and not any(one.any() for one in samples):
            samples = samples[-1:]
        seconds = [len(one) / RATE for one in samples]
        heard = transcribe(recogniser, samples.__getitem__, seconds, True, decoding.batch_seconds, decoding.beams)
        words = [len(normalise(hypothesis.text, metric, language).split()) for _, hypothesis in heard]
        words *= clips // len(words)
        found[name] = {"spoke": sum(count > 0 for count in words), "words": sum(words)}
    return found


def probe_rows(systems: Mapping[str, Mapping[str, dict[str, int]]], clips: int = CLIPS) -> list[dict[str, Any]]:
    """Rows of results.json from what `probe` found for each system."""
    names = list(dict.fromkeys(name for found in systems.values() for name in found))
    return [
        {
            "probe": name,
            "clips": clips,
            "systems": {system: found[name] for system, found in systems.items() if name in found},
        }
        for name in names
    ]


def _pink(white: np.ndarray) -> np.ndarray:
    """Half the power an octave higher: the spectrum of white noise over the root of the frequency."""
    spectrum = np.fft.rfft(white)
    spectrum[0] = 0.0  # no constant
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.asarray(np.fft.irfft(spectrum, len(white)))


def _at(sound: np.ndarray, dbfs: float) -> np.ndarray:
    loudness = np.sqrt(np.mean(np.square(sound)))
    return np.asarray(sound * 10 ** (dbfs / 20) / loudness, np.float32)
