"""The section `training.augment`: what is done to training clips as they are read."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from hf_asr.recipe.fields import Range, Section, Share, Whole, line

Ends = tuple[float, float]


def _within(least: float, most: float) -> Callable[[Ends], Ends]:
    def checked(value: Ends) -> Ends:
        if value[0] < least or value[1] > most:
            raise ValueError(f"must lie within {least:g} and {most:g}, got {value[0]:g}, {value[1]:g}")
        return value

    return checked


class Noise(Section):
    """Noise under the speech."""

    share: Share = line(0.5, "of the clips that get it")
    snr_db: Annotated[Range, AfterValidator(_within(-60, 100))] = line((5, 30), "speech over noise, in dB")
    kinds: tuple[Literal["white", "pink", "babble"], ...] = line(
        ("white", "pink", "babble"), "generated noise; babble is made of other training clips"
    )
    folder: str | None = line(None, "recordings of noise to draw from, beside the kinds")

    @model_validator(mode="after")
    def _has_a_kind(self) -> "Noise":
        if not self.kinds and self.folder is None:
            raise ValueError("needs `kinds` or a `folder` to draw from")
        return self


class Reverb(Section):
    """A room around the speech."""

    share: Share = line(0.3, "of the clips that get it")
    seconds: Annotated[Range, AfterValidator(_within(0.01, 10))] = line(
        (0.1, 0.5), "time in which a generated room's echo falls by 60 dB"
    )
    folder: str | None = line(None, "recorded impulse responses to draw from instead")


class SpecAugment(Section):
    """Masks over time and mel channels (arXiv:1904.08779)."""

    time_masks: Whole = line(2, "masks over time in a clip", ge=0)
    time_share: Share = line(0.05, "longest mask, as a share of the clip")
    channel_masks: Whole = line(2, "masks over channels; a network that hears the waveform has its own", ge=0)
    channel_share: Share = line(0.2, "widest mask, as a share of the channels")


class Augment(Section):
    """What is done to training clips as they are read, drawn anew in every epoch; other sides stay as they are."""

    speed: Annotated[Range, AfterValidator(_within(0.5, 2))] | None = line(
        None, "resampled faster or slower by this factor, e.g. [0.9, 1.1]"
    )
    gain_db: Annotated[Range, AfterValidator(_within(-60, 60))] | None = line(
        None, "louder or softer, in dB, e.g. [-10, 5]"
    )
    noise: Noise | None = line(None, "noise under the speech")
    reverb: Reverb | None = line(None, "a room around the speech")
    tilt_db: Annotated[Range, AfterValidator(_within(-12, 12))] | None = line(
        None, "brighter or duller by so many dB an octave, as microphones are, e.g. [-3, 3]"
    )
    telephone: Share = line(0.0, "share of the clips heard through a telephone: 300 to 3,400 Hz, mu-law")
    spec_augment: SpecAugment | None = line(None, "masks over time and channels")
