"""Each change of a training clip against what is known of it by construction, by its standard or by another program."""

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hf_asr.data import augment as change
from hf_asr.data import noise as sound
from hf_asr.data.audio import AudioError
from hf_asr.data.sources import AUDIO_FILES
from hf_asr.data.tables import DataError
from hf_asr.recipe import RecipeError
from hf_asr.recipe import file as recipe_file
from hf_asr.recipe.augment import Augment, Noise, Reverb, SpecAugment
from hf_asr.recipe.checks import RECORDINGS

RATE = 16_000
EVERYTHING = Augment(
    speed=(0.9, 1.1),
    gain_db=(-10, 5),
    noise=Noise(share=1),
    reverb=Reverb(share=1),
    tilt_db=(-3, 3),
    telephone=1.0,
    spec_augment=SpecAugment(),
)


def tone(hertz: float, seconds: float = 1.0, amplitude: float = 0.1) -> sound.Samples:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def speech(seconds: float = 2.0, seed: int = 0) -> sound.Samples:
    """Noise in syllables, with a second of silence at its end: soft, so that nothing is clipped."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    syllables = 0.02 * rng.standard_normal(len(time)) * np.abs(np.sin(2 * np.pi * 2.5 * time))
    return np.concatenate([syllables, np.zeros(RATE)]).astype(np.float32)


def another(rng: np.random.Generator) -> sound.Samples:
    return speech(0.5 + rng.random(), seed=int(rng.integers(5)))


def draw(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed or (0,))


def decibels(one: sound.Samples, other: sound.Samples) -> float:
    return 10 * math.log10(np.mean(np.square(one, dtype=float)) / np.mean(np.square(other, dtype=float)))


def loudest(samples: sound.Samples) -> float:
    """The frequency with most power, in Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / len(samples))


# noise


@pytest.fixture
def hum(tmp_path: Path) -> Path:
    """Recordings of noise: long and short, other rates, two channels, and one whose header does not tell its length."""
    folder = tmp_path / "noise"
    (folder / "deeper").mkdir(parents=True)
    rng = draw(5)
    soundfile.write(folder / "long.wav", rng.normal(0, 0.1, (44_100 * 4, 2)), 44_100)
    soundfile.write(folder / "deeper" / "short.flac", rng.normal(0, 0.1, 2_000), 8_000)
    soundfile.write(folder / "same.ogg", rng.normal(0, 0.1, RATE * 2), RATE)
    wav = io.BytesIO()
    soundfile.write(wav, rng.normal(0, 0.1, RATE), RATE, format="WAV", subtype="PCM_16")
    streamed = bytearray(wav.getvalue())
    streamed[4:8] = streamed[40:44] = bytes(4)
    (folder / "streamed.wav").write_bytes(bytes(streamed))
    (folder / "readme.txt").write_text("no recording")
    return folder


@pytest.mark.parametrize("kind", ["white", "pink", "babble", "folder"])
@pytest.mark.parametrize("snr", [-5.0, 0.0, 12.5, 30.0])
def test_noise_lies_as_far_below_the_clip_as_asked(kind: str, snr: float, hum: Path) -> None:
    clip = speech()
    given = {"folder": str(hum), "kinds": ()} if kind == "folder" else {"kinds": (kind,)}
    settings = Augment.model_validate({"noise": {"share": 1, "snr_db": (snr, snr), **given}})
    for seed in range(8):
        heard = change.augment(clip, settings, draw(seed), another, sound.sounds(settings))
        assert heard.dtype == np.float32
        assert len(heard) == len(clip)
        assert decibels(clip, heard - clip) == pytest.approx(snr, abs=0.1)


def test_shares_and_ranges_are_those_of_the_recipe() -> None:
    clip = speech(0.25)
    settings = Augment(noise=Noise(share=0.25, snr_db=(5, 15), kinds=("white",)))
    heard = [change.augment(clip, settings, draw(seed), another) for seed in range(800)]
    noisy = [decibels(clip, one - clip) for one in heard if not np.array_equal(one, clip)]
    assert 0.2 < len(noisy) / len(heard) < 0.3
    assert min(noisy) > 4.9 and max(noisy) < 15.1
    assert np.mean(noisy) == pytest.approx(10, abs=0.7)


def test_every_kind_and_the_folder_come_as_often(hum: Path) -> None:
    settings = Noise(share=1, kinds=("white", "babble"), folder=str(hum))
    files = sound.sounds(Augment(noise=settings))
    asked: list[int] = []

    def counted(rng: np.random.Generator) -> sound.Samples:
        asked.append(1)
        return another(rng)

    kinds = []
    for seed in range(300):
        before = len(asked)
        found = sound.noise(1_000, settings, draw(seed), counted, files)
        white = np.array_equal(found, _white(seed))
        kinds.append("babble" if len(asked) > before else "white" if white else "folder")
    assert all(70 < kinds.count(kind) < 130 for kind in ("white", "babble", "folder"))


def _white(seed: int) -> sound.Samples:
    rng = draw(seed)
    rng.integers(3)
    return rng.standard_normal(1_000, dtype=np.float32)


def octave_powers(samples: sound.Samples) -> list[float]:
    """dB of the mean power a Hz in the octaves from 62.5 Hz to 8 kHz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.arange(len(power)) * RATE / len(samples)
    edges = [62.5 * 2**octave for octave in range(8)]
    return [10 * math.log10(power[(hertz >= low) & (hertz < 2 * low)].mean()) for low in edges[:-1]]


def test_pink_noise_falls_by_3_db_an_octave() -> None:
    powers = octave_powers(sound.pink(RATE * 60, draw()))
    assert np.diff(powers) == pytest.approx(-10 * math.log10(2), abs=0.3)


def test_white_noise_does_not_fall() -> None:
    powers = octave_powers(sound.noise(RATE * 60, Noise(kinds=("white",)), draw(), another, sound.Sounds()))
    assert np.diff(powers) == pytest.approx(0, abs=0.3)


def test_pink_noise_begins_anew_nowhere() -> None:
    # made in one transform: no period that a network could learn
    clip = sound.pink(RATE * 4, draw())
    spectrum = np.abs(np.fft.rfft(clip, 2 * len(clip))) ** 2
    self_similarity = np.fft.irfft(spectrum)[: len(clip)]
    assert np.abs(self_similarity[RATE:] / self_similarity[0]).max() < 0.3


def test_babble_is_three_to_six_clips_equally_loud() -> None:
    def tones(rng: np.random.Generator) -> sound.Samples:
        number = int(rng.integers(40))
        return tone(200 + 100 * number, seconds=1, amplitude=0.001 * 1.1**number)

    counts = set()
    for seed in range(40):
        heard = np.abs(np.fft.rfft(sound.babble(RATE, draw(seed), tones)))
        peaks = np.flatnonzero(heard > heard.max() / 10)
        strength = heard[peaks] / heard.max()
        # a tone drawn twice is heard once, softer or louder
        counts.add(len(peaks))
        if len(peaks) == 6:
            assert strength == pytest.approx(1, abs=1e-3)
    assert counts >= {3, 4, 5, 6}
    assert max(counts) == 6


@pytest.mark.parametrize("settings", [EVERYTHING, EVERYTHING.model_copy(update={"telephone": 0.0})])
def test_silence_stays_silence(settings: Augment) -> None:
    for seed in range(6):
        heard = change.augment(np.zeros(RATE, np.float32), settings, draw(seed), another)
        assert np.array_equal(heard, np.zeros(len(heard), np.float32))


def test_silent_and_missing_noise_leaves_the_clip() -> None:
    clip = speech()
    settings = Augment(noise=Noise(share=1, kinds=("babble",)))
    for other in (np.zeros(RATE, np.float32), np.zeros(0, np.float32)):
        assert np.array_equal(change.augment(clip, settings, draw(), lambda rng, other=other: other), clip)


@pytest.mark.parametrize("length", [0, 1, 2, 7, 400])
def test_tiny_clips_survive(length: int) -> None:
    clip = draw(3).uniform(-0.5, 0.5, length).astype(np.float32)
    for seed in range(10):
        heard = change.augment(clip, EVERYTHING, draw(seed), another)
        assert np.isfinite(heard).all()
        assert abs(len(heard) - length) <= 0.12 * length + 1
        assert heard.dtype == np.float32


def test_a_stretch_is_cut_from_anywhere_and_repeated_when_short(tmp_path: Path) -> None:
    ramp = (np.arange(RATE * 4) / RATE / 8).astype(np.float32)  # the place tells itself
    for name in ("ramp.wav", "ramp.flac"):
        soundfile.write(tmp_path / name, ramp, RATE, subtype="PCM_24")
        starts = []
        for seed in range(60):
            found = sound.stretch(tmp_path / name, RATE, draw(seed))
            assert np.allclose(np.diff(found), 1 / RATE / 8, atol=1e-6)
            starts.append(found[0] * 8)
        assert min(starts) < 0.3 and max(starts) > 2.7 and max(starts) <= 3
        found = sound.stretch(tmp_path / name, RATE * 6, draw())
        assert np.array_equal(found[RATE * 4 :], found[: RATE * 2])


def test_a_stretch_comes_at_16_khz_and_mono_whatever_the_recording(tmp_path: Path, hum: Path) -> None:
    ramp = np.arange(44_100 * 4) / 44_100 / 8
    soundfile.write(tmp_path / "ramp.wav", np.stack([ramp, np.zeros_like(ramp)], axis=1), 44_100, subtype="PCM_24")
    found = sound.stretch(tmp_path / "ramp.wav", RATE * 2, draw(4))
    assert np.allclose(np.diff(found[100:-100]), 1 / RATE / 16, atol=1e-6)
    for path in sound.recordings(str(hum), ""):
        # 0.01 as written; of two channels the half, and of it what lies below 8 of 22 kHz
        assert 0.001 < sound.power(sound.stretch(path, RATE // 2, draw())) < 0.02


def test_a_recording_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav cannot be opened"):
        sound.stretch(tmp_path / "gone.wav", 100, draw())


# rooms


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.7, 1.5])
def test_a_room_echoes_as_long_as_asked(seconds: float) -> None:
    impulse = np.zeros(RATE * 3, np.float32)
    impulse[0] = 1
    for seed in range(5):
        settings = Augment(reverb=Reverb(share=1, seconds=(seconds, seconds)))
        heard = change.augment(impulse, settings, draw(seed), another).astype(float)
        # Schroeder (JASA 1965): energy still to come, of the echo alone; its fall from -5 to -25 dB, times three
        energy = np.cumsum(np.square(heard[32:])[::-1])[::-1]
        curve = 10 * np.log10(energy[energy > 0] / energy[0])
        slope = (np.argmax(curve < -25) - np.argmax(curve < -5)) / RATE
        assert 3 * slope == pytest.approx(seconds, rel=0.15)


def test_a_room_is_a_direct_sound_and_an_echo_0_to_10_db_below() -> None:
    found = []
    for seed in range(200):
        response = sound.decaying_noise(0.4, draw(seed))
        assert response[0] == 1
        assert not response[1:32].any()
        found.append(-10 * math.log10(np.sum(np.square(response[1:], dtype=float))))
    assert min(found) > -0.01 and max(found) < 10.01
    assert np.mean(found) == pytest.approx(5, abs=0.7)


def test_a_room_keeps_length_level_and_place() -> None:
    clip = speech()
    for seed in range(5):
        response = sound.decaying_noise(0.3, draw(seed))
        heard = sound.reverberate(clip, response)
        assert len(heard) == len(clip)
        assert decibels(heard, clip) == pytest.approx(0, abs=0.01)
        lags = np.fft.irfft(np.fft.rfft(heard, 2 * len(clip)) * np.fft.rfft(clip, 2 * len(clip)).conj())
        assert np.argmax(np.abs(lags)) == 0


def test_a_recorded_response_is_convolved_and_its_delay_taken_out(tmp_path: Path) -> None:
    response = np.zeros(300, np.float32)
    response[[20, 50, 90, 299]] = 0.1, 0.8, -0.4, 0.2
    soundfile.write(tmp_path / "room.wav", response, RATE, subtype="FLOAT")
    settings = Augment(reverb=Reverb(share=1, folder=str(tmp_path)))
    clip = speech()
    heard = change.augment(clip, settings, draw(), another, sound.sounds(settings))
    slow = np.convolve(clip.astype(float), response.astype(float))[50 : 50 + len(clip)]
    slow *= math.sqrt(sound.power(clip) / np.mean(slow**2))
    assert heard == pytest.approx(slow, abs=1e-6)


def test_a_response_of_nothing_changes_nothing() -> None:
    clip = speech()
    assert np.array_equal(sound.reverberate(clip, np.zeros(100, np.float32)), clip)
    assert np.array_equal(sound.reverberate(clip, np.zeros(0, np.float32)), clip)


def test_transforms_are_of_lengths_without_large_primes() -> None:
    for least in (1, 7, 11, 1_025, 99_991, 480_001):
        size = found = sound.fft_length(least)
        assert least <= size < least * 1.15 + 1
        for prime in (2, 3, 5):
            while found % prime == 0:
                found //= prime
        assert found == 1


# speed


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.9731, 1.1, 2.0])
def test_speed_moves_length_and_pitch(factor: float) -> None:
    clip = tone(500, 2.0)
    heard = change.speed(clip, factor)
    assert len(heard) == round(len(clip) / factor)
    assert loudest(heard) == pytest.approx(500 * factor, abs=1)
    assert decibels(heard, clip) == pytest.approx(0, abs=0.1)


def test_what_would_fold_over_is_taken_out_first() -> None:
    assert np.abs(change.speed(tone(6_000), 1.6)[500:-500]).max() < 1e-3


@pytest.mark.parametrize(("factor", "bound"), [(2.0, 9_000), (0.5, 20_000), (2.0, 8_001), (0.5, 16_001)])
def test_speed_goes_as_far_as_the_clip_still_fits(factor: float, bound: int) -> None:
    def fits(length: int) -> bool:
        return length >= bound if factor > 1 else length <= bound

    assert len(change.speed(tone(500), factor, fits)) == bound


def test_a_clip_that_does_not_fit_as_it_is_keeps_its_speed() -> None:
    clip = tone(500)
    assert change.speed(clip, 1.5, lambda length: False) is clip


# microphones


@pytest.mark.parametrize("slope", [-6.0, -2.5, 0.0, 3.0])
def test_a_tilt_is_so_many_db_an_octave(slope: float) -> None:
    noise = 0.01 * draw().standard_normal(RATE * 20, dtype=np.float32)
    heard = change.tilt(noise, slope)
    assert len(heard) == len(noise) and heard.dtype == np.float32
    assert sound.power(heard) == pytest.approx(sound.power(noise), rel=1e-4)
    levels = octave_powers(heard)
    # below 100 Hz it is flat; an octave of it is the first
    assert np.diff(levels[1:]) == pytest.approx(slope, abs=0.35)


def test_a_tilt_shifts_nothing_and_is_drawn_for_each_clip() -> None:
    clip = speech()
    heard = change.tilt(clip, -3.0)
    across = np.fft.irfft(np.fft.rfft(clip, 2 * len(clip)).conj() * np.fft.rfft(heard, 2 * len(clip)))
    assert int(np.argmax(across)) == 0
    draws = [change.augment(clip, Augment(tilt_db=(-3, 3)), draw(seed), another) for seed in range(40)]
    slopes = [np.polyfit(range(6), np.subtract(octave_powers(one)[1:], octave_powers(clip)[1:]), 1)[0] for one in draws]
    assert min(slopes) > -3.1 and max(slopes) < 3.1
    assert min(slopes) < -2 and max(slopes) > 2


# telephone, gain, clipping


def test_telephone_takes_6_khz_out_and_keeps_1_khz() -> None:
    heard = change.telephone(tone(1_000) + tone(6_000) + tone(100))
    spectrum = np.abs(np.fft.rfft(heard)) / (0.05 * RATE)
    assert 20 * math.log10(spectrum[1_000]) == pytest.approx(0, abs=0.1)
    assert 20 * math.log10(spectrum[6_000]) < -60
    assert 20 * math.log10(spectrum[100]) < -40


@pytest.mark.parametrize(("hertz", "kept"), [(300, True), (3_400, True), (150, False), (3_900, False), (5_000, False)])
def test_the_band_is_300_to_3400(hertz: int, kept: bool) -> None:
    change_db = decibels(change.telephone(tone(hertz)), tone(hertz)) if kept else 0
    assert change_db == pytest.approx(0, abs=0.3)
    if not kept:
        assert np.abs(change.telephone(tone(hertz))[1_600:-1_600]).max() < 0.001


def test_telephone_shifts_nothing() -> None:
    clip = tone(800, 0.5) * np.hanning(RATE // 2).astype(np.float32)
    heard = change.telephone(clip)
    assert len(heard) == len(clip)
    assert np.corrcoef(heard, clip)[0, 1] > 0.999


def test_mu_law_has_the_levels_of_g711() -> None:
    every = np.arange(-32_768, 32_768, dtype=np.float32) / 32_768
    # ITU-T G.711, table 2a: the value at the decoder of segment s and step m, of 8,159
    table = [((2 * m + 33) << s) - 33 for s in range(8) for m in range(16)]
    assert table[:3] == [0, 2, 4] and table[16:18] == [33, 37] and table[-1] == 8_031
    assert sorted(set(np.abs(change.mu_law(every) * 8_192).tolist())) == table


def test_mu_law_is_that_of_another_program() -> None:
    every = np.arange(-8_192, 8_192, dtype=np.float32) / 8_192  # 14 bits, which the standard begins with
    file = io.BytesIO()
    soundfile.write(file, every, 8_000, format="WAV", subtype="ULAW")
    file.seek(0)
    theirs = soundfile.read(file, dtype="float32")[0]
    ours = change.mu_law(every)
    # libsndfile scales by 32,767 and not 32,768, so that a few on the edge of a step fall to its other side
    assert np.mean(ours == theirs) > 0.98
    assert np.abs(ours - theirs).max() <= 1 / 32


def test_mu_law_follows_the_logarithm() -> None:
    every = np.arange(-32_635, 32_636, dtype=np.float64) / 32_768

    def law(x: np.ndarray) -> np.ndarray:
        return np.sign(x) * np.log1p(255 * np.abs(x)) / math.log(256)

    kept = change.mu_law(every.astype(np.float32))
    assert (
        np.abs(law(kept) - law(every)).max() < 1 / 127
    )  # half of one of 256 steps of 2/256, and the straight segments
    assert np.all(np.diff(kept) >= 0)


def test_gain_is_in_decibels_and_comes_last_before_clipping() -> None:
    clip = tone(500)
    assert decibels(change.gain(clip, -7.5), clip) == pytest.approx(-7.5, abs=1e-3)
    louder = change.augment(clip, Augment(gain_db=(40, 40)), draw(), another)
    assert np.abs(louder).max() == 1
    # a telephone's steps are coarser for loud sounds, so gain before it would be heard
    quiet, plain = (
        change.augment(clip, Augment(telephone=1.0, gain_db=(by, by)), draw(), another) for by in (-20.0, 0.0)
    )
    assert quiet == pytest.approx(plain / 10, abs=1e-7)


def test_noise_goes_through_the_telephone_and_not_through_the_room() -> None:
    clip = tone(1_000)
    noisy = Augment(noise=Noise(share=1, kinds=("white",), snr_db=(0, 0)), telephone=1.0)
    power = np.abs(np.fft.rfft(change.augment(clip, noisy, draw(), another))) ** 2
    assert power[4_000:].sum() / power.sum() < 1e-4  # what is left is the cut at the ends
    # over the power of the clip with its echo, and with no echo of its own
    both = Augment(noise=Noise(share=1, kinds=("white",), snr_db=(10, 10)), reverb=Reverb(share=1))
    heard = change.augment(clip, both, draw(4), another)
    rng = draw(4)
    rng.random()
    room = sound.reverberate(clip, sound.room(Reverb(), rng, sound.Sounds()))
    assert decibels(room, heard - room) == pytest.approx(10, abs=0.1)


# all of it


def test_defaults_do_nothing_at_all() -> None:
    clip = 2 * speech()
    for settings in (Augment(), Augment(spec_augment=SpecAugment())):
        rng = draw()
        assert change.augment(clip, settings, rng, another) is clip
        assert rng.random() == draw().random()


def test_equal_seeds_give_equal_samples_and_others_do_not() -> None:
    clip = speech()
    first = change.augment(clip, EVERYTHING, draw(1, 2, 3), another)
    assert np.array_equal(first, change.augment(clip, EVERYTHING, draw(1, 2, 3), another))
    for seed in ((1, 2, 4), (1, 3, 3), (2, 2, 3)):
        assert not np.array_equal(first, change.augment(clip, EVERYTHING, draw(*seed), another))


def test_the_clip_given_is_not_written_to() -> None:
    clip = speech()
    before = clip.copy()
    clip.flags.writeable = False
    for seed in range(5):
        change.augment(clip, EVERYTHING, draw(seed), another)
    assert np.array_equal(clip, before)


# masks


def masked(settings: SpecAugment, seed: int, shape: tuple[int, int] = (400, 80)) -> np.ndarray:
    """Where [frames, channels] a mask lies; features have distinct values, so that their mean is none of them."""
    features = draw(9).permutation(np.arange(shape[0] * shape[1]) * 2.0).reshape(shape).astype(np.float32)
    before, mean = features.copy(), features.mean()
    change.spec_augment(features, settings, draw(seed))
    assert np.all((features == before) | (features == mean))
    return features != before


def test_masks_over_time_are_as_many_and_as_wide_as_asked() -> None:
    widths = []
    for seed in range(300):
        where = masked(SpecAugment(time_masks=2, time_share=0.1, channel_masks=0), seed)
        assert np.array_equal(where.any(1), where.all(1))
        edges = np.diff(np.concatenate([[0], where.all(1).astype(int), [0]]))
        assert (edges == 1).sum() <= 2
        widths.append(where.all(1).sum())
    assert max(widths) <= 80
    assert np.mean(widths) == pytest.approx(40, rel=0.1)  # two of 0 to 40 frames; overlaps take a little


def test_masks_over_channels() -> None:
    where = np.stack(
        [masked(SpecAugment(time_masks=0, channel_masks=1, channel_share=0.25), seed) for seed in range(300)]
    )
    assert np.array_equal(where.any(1), where.all(1))
    widths = where.all(1).sum(1)
    assert set(widths) == set(range(21))
    lowest, highest = where.all(1).any(0)[0], where.all(1).any(0)[-1]
    assert lowest and highest


def test_no_masks_is_no_change() -> None:
    assert not masked(SpecAugment(time_masks=0, channel_masks=0), 0).any()
    assert not masked(SpecAugment(time_share=0, channel_share=0), 0).any()
    assert masked(SpecAugment(time_masks=1, time_share=1, channel_masks=0), 3, (1, 80)).shape == (1, 80)


# recipes and folders


RECIPE = """
data:
  sources:
    - path: clips
model:
  from_scratch: {model_type: wav2vec2}
training:
  max_steps: 3
  augment: %s
"""


@pytest.fixture
def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, str]]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()

    def told(augment: str) -> dict[str, str]:
        Path("r.yaml").write_text(RECIPE % augment)
        try:
            recipe_file.load("r.yaml")
        except RecipeError as error:
            return dict(error.problems)
        return {}

    return told


@pytest.mark.parametrize(
    ("augment", "place", "told"),
    [
        ("{speed: [0, 1]}", "speed", "must lie within 0.5 and 2, got 0, 1"),
        ("{speed: [1.1, 0.9]}", "speed", "expected the lower end first"),
        ("{gain_db: [0, 100]}", "gain_db", "must lie within -60 and 60"),
        ("{reverb: {seconds: [0, 1]}}", "reverb.seconds", "must lie within 0.01 and 10"),
        ("{noise: {kinds: []}}", "noise", "needs `kinds` or a `folder`"),
        ("{noise: {kinds: [brown]}}", "noise.kinds.0", "expected one of white, pink, babble"),
        ("{noise: {folder: nowhere}}", "noise.folder", "no such folder: 'nowhere'"),
        ("{noise: {folder: clip}}", "noise.folder", "(did you mean `clips`?)"),
        ("{noise: {folder: clips}}", "noise.folder", "no recordings in 'clips'"),
        ("{noise: {folder: r.yaml}}", "noise.folder", "is a file"),
        ("{reverb: {folder: clips}}", "reverb.folder", "no recordings in 'clips'"),
    ],
)
def test_what_cannot_be_is_told_with_the_recipe(
    problems: Callable[[str], dict[str, str]], augment: str, place: str, told: str
) -> None:
    found = problems(augment)
    assert list(found) == [f"training.augment.{place}"]
    assert told in found[f"training.augment.{place}"]


def test_a_folder_of_recordings_is_no_problem(problems: Callable[[str], dict[str, str]]) -> None:
    soundfile.write("clips/noise.wav", np.zeros(100), RATE)
    assert problems("{noise: {folder: clips, kinds: []}, reverb: {folder: clips}}") == {}


def test_the_baselines_own_folders_are_looked_for_too(problems: Callable[[str], dict[str, str]]) -> None:
    found = problems("{}\nbaseline:\n  training: {max_steps: 1, augment: {noise: {folder: nowhere}}}")
    assert list(found) == ["baseline.training.augment.noise.folder"]


def test_recordings_are_told_by_the_same_names_everywhere() -> None:
    assert set(RECORDINGS) == set(AUDIO_FILES)


def test_recordings_are_found_in_one_order(hum: Path) -> None:
    found = sound.sounds(Augment(noise=Noise(folder=str(hum))))
    assert [path.name for path in found.noises] == ["short.flac", "long.wav", "same.ogg", "streamed.wav"]
    assert found.rooms == ()


def test_a_broken_recording_is_told_before_training(hum: Path) -> None:
    (hum / "broken.wav").write_bytes(b"RIFF and then nothing of use")
    (hum / "empty.flac").touch()
    soundfile.write(hum / "none.wav", np.zeros(0), RATE)
    whole = (hum / "long.wav").read_bytes()
    (hum / "long.wav").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as found:
        sound.sounds(Augment(noise=Noise(folder=str(hum))))
    told = str(found.value)
    assert told.startswith("training.augment.noise.folder: ")
    assert "mend or remove" in told
    assert all(name in told for name in ("broken.wav", "empty.flac is empty", "none.wav", "long.wav is truncated"))
    assert "short.flac" not in told and "streamed" not in told
    assert str(hum) not in told
