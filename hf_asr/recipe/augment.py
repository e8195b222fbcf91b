"""The section `training.augment`: what is done to training clips as they are read."""

from typing import Literal

from hf_asr.recipe.fields import Range, Section, Share, Whole, line


class Noise(Section):
    """Noise under the speech."""

    share: Share = line(0.5, "of the clips that get it")
    snr_db: Range = line((5, 30), "speech over noise, in dB")
    kinds: tuple[Literal["white", "pink", "babble"], ...] = line(
        ("white", "pink", "babble"), "generated noise; babble is made of other training clips"
    )
    folder: str | None = line(None, "recordings of noise to draw from, beside the kinds")


class Reverb(Section):
    """A room around the speech."""

    share: Share = line(0.3, "of the clips that get it")
    seconds: Range = line((0.1, 0.5), "time in which a generated room's echo falls by 60 dB")
    folder: str | None = line(None, "recorded impulse responses to draw from instead")


class SpecAugment(Section):
    """Masks over time and mel channels (arXiv:1904.08779)."""

    time_masks: Whole = line(2, "masks over time in a clip", ge=0)
    time_share: Share = line(0.05, "longest mask, as a share of the clip")
    channel_masks: Whole = line(2, "masks over channels; a network that hears the waveform has its own", ge=0)
    channel_share: Share = line(0.2, "widest mask, as a share of the channels")


class Augment(Section):
    """What is done to training clips as they are read, drawn anew in every epoch; other sides stay as they are."""

    speed: Range | None = line(None, "resampled faster or slower by this factor, e.g. [0.9, 1.1]")
    gain_db: Range | None = line(None, "louder or softer, in dB, e.g. [-10, 5]")
    noise: Noise | None = line(None, "noise under the speech")
    reverb: Reverb | None = line(None, "a room around the speech")
    telephone: Share = line(0.0, "share of the clips heard through a telephone: 300 to 3,400 Hz, mu-law")
    spec_augment: SpecAugment | None = line(None, "masks over time and channels")
