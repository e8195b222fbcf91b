"""Training clips changed as they are read: other speeds, rooms, noises, lines and levels, and masks over features.

Waveforms are float32 [samples] at 16 kHz within [-1, 1]. Every draw comes from the generator handed in, and how
many draws there are from the clip and the settings alone: equal seeds give equal samples.
"""

from collections.abc import Callable

import numpy as np
import soxr

from hf_asr.data.audio import RATE
from hf_asr.data.noise import Another, Samples, Sounds, add_noise, fft_length, noise, power, reverberate, room
from hf_asr.recipe.augment import Augment, SpecAugment

TELEPHONE_RATE = 8_000  # Hz, G.711
TELEPHONE_BAND = (200.0, 300.0, 3_400.0, 3_800.0)  # Hz: nothing below the first, all from the second to the third
TILT_FROM = 100.0  # Hz, below which a tilted spectrum is as loud as there: there is hum, and no speech
EDGE = 800  # samples of silence around a transform, so that a filter's ringing does not come round to the other end
DB_AN_OCTAVE = 20 * np.log10(2)  # of an amplitude that grows with frequency
MU_LAW_BIAS, MU_LAW_CLIP = 132, 32_635  # of 16-bit samples, ITU-T G.711


def changes_samples(settings: Augment) -> bool:
    """Whether waveforms are changed at all; masks over features are not counted."""
    given = (settings.speed, settings.gain_db, settings.noise, settings.reverb, settings.tilt_db)
    return any(one is not None for one in given) or settings.telephone > 0


def augment(
    samples: Samples,
    settings: Augment,
    rng: np.random.Generator,
    others: Another,
    sounds: Sounds | None = None,
    fits: Callable[[int], bool] = lambda length: True,
) -> Samples:
    """The clip after speed, room, noise, microphone (tilt), telephone and gain, in this order, clipped to [-1, 1].

    `others` draws another training clip (for babble), `sounds` are the recordings of the recipe's folders, `fits`
    says whether a clip of so many samples can still be trained on: speed goes only as far as that.
    With every setting at its default the same array comes back. Raises AudioError for a recording that is gone.
    """
    if not changes_samples(settings) or not len(samples):
        return samples
    sounds = sounds or Sounds()
    if settings.speed is not None:
        samples = speed(samples, rng.uniform(*settings.speed), fits)
    if settings.reverb is not None and rng.random() < settings.reverb.share:
        samples = reverberate(samples, room(settings.reverb, rng, sounds))
    if settings.noise is not None and rng.random() < settings.noise.share:
        samples = add_noise(
            samples, noise(len(samples), settings.noise, rng, others, sounds), rng.uniform(*settings.noise.snr_db)
        )
    if settings.tilt_db is not None:
        samples = tilt(samples, rng.uniform(*settings.tilt_db))
    if settings.telephone > 0 and rng.random() < settings.telephone:
        samples = telephone(samples)
    if settings.gain_db is not None:
        samples = gain(samples, rng.uniform(*settings.gain_db))
    return np.clip(samples, -1, 1)


def speed(samples: Samples, factor: float, fits: Callable[[int], bool] = lambda length: True) -> Samples:
    """`factor` times as fast, by resampling, so that pitch and formants move along (Ko et al., Interspeech 2015).

    Gives round(samples / factor) samples, or as near to that as `fits` allows; a clip that does not fit as it is
    stays as it is.
    """
    given, wanted = len(samples), max(round(len(samples) / factor), 1)
    if not fits(wanted):
        wanted = _farthest(given, wanted, fits)
    if wanted == given:
        return samples
    changed = np.asarray(soxr.resample(samples, given, wanted), np.float32)  # HQ, 5,000 s of audio a CPU second
    # soxr rounds the length on its own account; `fits` was asked about this one
    return changed[:wanted] if len(changed) >= wanted else np.pad(changed, (0, wanted - len(changed)))


def _farthest(start: int, end: int, fits: Callable[[int], bool]) -> int:
    """The length nearest to `end` that fits, from `start` on, which is taken to fit; by bisection."""
    while abs(end - start) > 1:
        middle = (start + end) // 2
        if fits(middle):
            start = middle
        else:
            end = middle
    return start


def gain(samples: Samples, decibels: float) -> Samples:
    return samples * np.float32(10 ** (decibels / 20))


def tilt(samples: Samples, decibels: float) -> Samples:
    """Brighter (or duller, below 0) by `decibels` an octave from 100 Hz on; length, place and mean power stay.

    A filter of phase zero. Microphones and voices differ so: the embedded prompts fall by 8 dB more towards 5 kHz than
    synthetic voices.
    """
    size = fft_length(len(samples) + EDGE)
    hertz = np.fft.rfftfreq(size, 1 / RATE).astype(np.float32).clip(TILT_FROM)
    spectrum = np.fft.rfft(samples, size) * np.power(hertz / np.float32(TILT_FROM), np.float32(decibels / DB_AN_OCTAVE))
    heard = np.asarray(np.fft.irfft(spectrum, size)[: len(samples)], np.float32)
    before, after = power(samples), power(heard)
    return heard * np.float32((before / after) ** 0.5) if after > 0 else samples


def telephone(samples: Samples) -> Samples:
    """Through a telephone line: 300 to 3,400 Hz, 8 kHz, eight bits of mu-law a sample (ITU-T G.711), and back."""
    half = fft_length((len(samples) + EDGE + 1) // 2)  # samples at 8 kHz
    spectrum = np.fft.rfft(samples, 2 * half)[: half // 2 + 1]
    spectrum *= _band(np.linspace(0, TELEPHONE_RATE / 2, len(spectrum), dtype=np.float32))
    line = mu_law(np.asarray(np.fft.irfft(spectrum, half) / 2, np.float32))  # a transform half as long: half the sum
    return np.asarray(np.fft.irfft(np.fft.rfft(line), 2 * half)[: len(samples)] * 2, np.float32)


def _band(hertz: Samples) -> Samples:
    """1 inside the telephone's band, falling as a raised cosine to 0 at its outer edges."""
    ramp = np.interp(hertz, TELEPHONE_BAND, (0, 1, 1, 0), left=0, right=0)
    return np.asarray((1 - np.cos(np.pi * ramp)) / 2, np.float32)


def mu_law(samples: Samples) -> Samples:
    """What is left of samples in [-1, 1] after G.711 mu-law: 8 bits each, fine steps for soft sounds, coarse for loud.

    The law's piecewise linear form on 16-bit magnitudes: with the bias added, a power of two names the segment and
    16 equal steps divide it.
    """
    magnitude = np.minimum(np.abs(samples) * 32_768, MU_LAW_CLIP) + np.float32(MU_LAW_BIAS)
    _, exponent = np.frexp(magnitude)
    step = np.ldexp(np.float32(1), exponent - 5)
    middle = (np.floor(magnitude / step) + np.float32(0.5)) * step - MU_LAW_BIAS
    return np.asarray(np.copysign(middle / 32_768, samples), np.float32)


def spec_augment(features: Samples, settings: SpecAugment, rng: np.random.Generator) -> None:
    """Masks over log-mel `features` [frames, channels], in place (arXiv:1904.08779, without time warping).

    Masked values become the clip's mean: the paper's zero, of features whose mean is zero.
    """
    mean = features.mean()
    frames, channels = features.shape
    for start, end in _masks(settings.time_masks, settings.time_share, frames, rng):
        features[start:end] = mean
    for start, end in _masks(settings.channel_masks, settings.channel_share, channels, rng):
        features[:, start:end] = mean


def _masks(count: int, share: float, size: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """`count` stretches of 0 to share * size each, anywhere in range(size)."""
    widths = rng.integers(0, int(share * size), size=count, endpoint=True)
    starts = [int(rng.integers(0, size - width, endpoint=True)) for width in widths.tolist()]
    return [(start, start + width) for start, width in zip(starts, widths.tolist(), strict=True)]
