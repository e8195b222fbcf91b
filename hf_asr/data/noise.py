"""Noise under speech and rooms around it: generated, or recordings from the recipe's folders."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from hf_asr.data.audio import RATE, UNKNOWN_LENGTH, AudioError, decode
from hf_asr.data.durations import durations
from hf_asr.data.sources import AUDIO_FILES
from hf_asr.data.tables import DataError
from hf_asr.recipe.augment import Augment, Noise, Reverb
from hf_asr.recipe.folders import files_below

Samples = npt.NDArray[np.float32]  # [samples] at 16 kHz
Another = Callable[[np.random.Generator], Samples]  # draws another training clip

VOICES = (3, 6)  # in babble
PINK_FROM = 20.0  # Hz; below, where nothing is heard, pink noise is flat
DIRECT_DB = (0.0, 10.0)  # a generated room: direct sound over echo, from a far seat to a near one
FIRST_ECHO = 0.002  # s after the direct sound
LONGEST_ROOM = 4.0  # s of a recorded impulse response that are used
_POWERS = [2**a * 3**b * 5**c for a in range(28) for b in range(18) for c in range(12)]
FFT_LENGTHS = np.array(sorted(size for size in set(_POWERS) if size < 2**27))


@dataclass(frozen=True)
class Sounds:
    """Recordings to draw from, in an order that does not depend on the machine."""

    noises: tuple[Path, ...] = ()
    rooms: tuple[Path, ...] = ()


def sounds(settings: Augment) -> Sounds:
    """The recordings of the folders that `settings` name. Raises DataError when one cannot be read."""
    noise, reverb = settings.noise, settings.reverb
    return Sounds(
        recordings(noise.folder, "training.augment.noise.folder") if noise and noise.folder else (),
        recordings(reverb.folder, "training.augment.reverb.folder") if reverb and reverb.folder else (),
    )


def recordings(folder: str, where: str) -> tuple[Path, ...]:
    """The recordings below `folder`, each probed. Raises DataError, naming `where` in the recipe it is asked for."""
    root = Path(folder).expanduser()
    files = sorted(path for path in files_below(root) if path.suffix.lower() in AUDIO_FILES and path.is_file())
    if not files:
        raise DataError(f"{where}: no recordings in {folder!r} ({', '.join(AUDIO_FILES)})")
    found = durations(({"path": str(path), "bytes": None} for path in files), len(files))
    broken = [str(one) for one in found if isinstance(one, AudioError)]
    broken += [
        f"{path.name} has no sound in it"
        for path, one in zip(files, found, strict=True)
        if isinstance(one, float) and one <= 0
    ]
    if broken:
        more = f", and {len(broken) - 5} more" if len(broken) > 5 else ""
        raise DataError(f"{where}: {'; '.join(broken[:5])}{more}: mend or remove what cannot be read")
    return tuple(files)


def power(samples: Samples) -> float:
    """Mean square."""
    return float(np.mean(np.square(samples), dtype=np.float64)) if len(samples) else 0.0


def add_noise(samples: Samples, under: Samples, snr_db: float) -> Samples:
    """`samples` with `under` beneath, so that its mean power is `snr_db` below that of the whole clip.

    When either is silent there is no such ratio, and the clip stays as it is.
    """
    speech, other = power(samples), power(under)
    if speech == 0 or other == 0:
        return samples
    return samples + np.float32(math.sqrt(speech / other * 10 ** (-snr_db / 10))) * under


def noise(length: int, settings: Noise, rng: np.random.Generator, others: Another, sounds: Sounds) -> Samples:
    """Noise [length] of a drawn kind: each kind of the recipe, and the folder if there is one, equally often."""
    kinds = (*settings.kinds, *(("folder",) if sounds.noises else ()))
    kind = kinds[rng.integers(len(kinds))]
    if kind == "white":
        return rng.standard_normal(length, dtype=np.float32)
    if kind == "pink":
        return pink(length, rng)
    if kind == "babble":
        return babble(length, rng, others)
    return stretch(sounds.noises[rng.integers(len(sounds.noises))], length, rng)


def pink(length: int, rng: np.random.Generator) -> Samples:
    """Noise whose power falls by 3 dB an octave, from 20 Hz on; made in the frequency domain."""
    size = fft_length(length)
    bins = size // 2 + 1
    hertz = np.arange(bins, dtype=np.float32) * np.float32(RATE / size)
    spectrum = rng.standard_normal(2 * bins, dtype=np.float32).view(np.complex64)
    spectrum /= np.sqrt(np.maximum(hertz, np.float32(PINK_FROM)))
    spectrum[0] = 0
    return np.fft.irfft(spectrum, size)[:length].astype(np.float32)


def babble(length: int, rng: np.random.Generator, others: Another) -> Samples:
    """Three to six other clips at once, equally loud, each from a drawn place on and repeated where it ends."""
    total = np.zeros(length, np.float32)
    for _ in range(rng.integers(*VOICES, endpoint=True)):
        voice = others(rng)
        if (loud := power(voice)) > 0:
            total += np.resize(np.roll(voice, rng.integers(len(voice))), length) / np.float32(math.sqrt(loud))
    return total


def stretch(path: Path, length: int, rng: np.random.Generator) -> Samples:
    """A stretch [length] of a recording, from a drawn place on, repeated where the recording is shorter.

    Only this stretch is read, where the container allows it. Raises AudioError.
    """
    chance = rng.random()
    try:
        with soundfile.SoundFile(path) as sound:
            if not 0 < sound.frames < UNKNOWN_LENGTH:
                return _cut(decode({"path": str(path), "bytes": None}), length, chance)
            wanted = math.ceil(length * sound.samplerate / RATE)
            sound.seek(int(chance * (max(sound.frames - wanted, 0) + 1)))
            found, rate = sound.read(wanted, dtype="float32", always_2d=True).mean(axis=1), sound.samplerate
    except soundfile.LibsndfileError:
        return _cut(decode({"path": str(path), "bytes": None}), length, chance)
    mono = found if rate == RATE else soxr.resample(found, rate, RATE)
    return _cut(np.asarray(mono, np.float32), length, 0.0)


def _cut(samples: Samples, length: int, chance: float) -> Samples:
    if not len(samples):
        return np.zeros(length, np.float32)
    start = int(chance * (max(len(samples) - length, 0) + 1))
    return np.resize(samples[start:], length)


def room(settings: Reverb, rng: np.random.Generator, sounds: Sounds) -> Samples:
    """An impulse response: a recorded one when the recipe names a folder, else generated."""
    if sounds.rooms:
        path = sounds.rooms[rng.integers(len(sounds.rooms))]
        return decode({"path": str(path), "bytes": None})[: round(LONGEST_ROOM * RATE)]
    return decaying_noise(rng.uniform(*settings.seconds), rng)


def decaying_noise(seconds: float, rng: np.random.Generator) -> Samples:
    """The direct sound and an echo of noise that falls by 60 dB in `seconds` (Moorer, Computer Music Journal 1979)."""
    tail = rng.standard_normal(max(round(seconds * RATE), 1), dtype=np.float32)
    tail *= np.power(10, -3 * np.arange(len(tail), dtype=np.float32) / len(tail))
    response = np.concatenate([np.zeros(round(FIRST_ECHO * RATE), np.float32), tail])
    response *= np.float32(math.sqrt(10 ** (-rng.uniform(*DIRECT_DB) / 10) / (power(tail) * len(tail) or 1)))
    response[0] = 1
    return response


def reverberate(samples: Samples, response: Samples) -> Samples:
    """`samples` heard through an impulse response: same length and mean power, its direct sound where it was."""
    if not len(response):
        return samples
    direct = int(np.argmax(np.abs(response)))
    size = fft_length(len(samples) + len(response))
    whole = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    heard: Samples = np.asarray(whole[direct : direct + len(samples)], np.float32)
    before, after = power(samples), power(heard)
    return heard * np.float32(math.sqrt(before / after)) if after > 0 else samples


def fft_length(least: int) -> int:
    """The next length with no prime factor over 5, which the transform takes several times faster than a prime."""
    at = int(np.searchsorted(FFT_LENGTHS, least))
    return int(FFT_LENGTHS[at]) if at < len(FFT_LENGTHS) else least
