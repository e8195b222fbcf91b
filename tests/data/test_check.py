import pytest

from hf_asr.data.check import fits, frames_needed, histogram, odd_rates, percentiles, report
from hf_asr.data.clips import PLAIN as FEATURES
from hf_asr.data.clips import Clips, DataError, LeftOut
from hf_asr.data.tables import to_dataset


def table(*rows):
    """Rows of (id, text, seconds), a speaker for each first letter of the id."""
    return to_dataset(
        [
            {
                "id": name,
                "raw": text,
                "text": text,
                "seconds": seconds,
                "speaker": name[0],
                "group": None,
                "weight": 1.0,
            }
            for name, text, seconds in rows
        ],
        FEATURES,
    )


def clips(train=(), validation=(), test=(), left_out=()):
    given = len(train) + len(validation) + len(test) + len(left_out)
    return Clips(table(*train), table(*validation), table(*test), tuple(left_out), given, 0.0, ("before",), "")


def letters(text):
    return [ord(letter) for letter in text]


def no_one(text):
    return set()


def wav2vec2_frames(samples):
    """Frames of wav2vec2's seven convolutions."""
    for kernel, stride in [(10, 5), *[(3, 2)] * 4, *[(2, 2)] * 2]:
        samples = (samples - kernel) // stride + 1
    return samples


@pytest.mark.parametrize(
    ("labels", "frames"), [([], 0), ([1], 1), ([1, 2], 2), ([1, 1], 3), ([1, 1, 1, 2, 2], 8), ([1, 2, 1], 3)]
)
def test_repeats_need_a_blank_between(labels, frames):
    assert frames_needed(labels) == frames


def test_ctc_keeps_what_just_fits_and_lists_what_just_does_not():
    # 49 frames of wav2vec2 in a second of 16 kHz
    assert wav2vec2_frames(16_000) == 49
    rows = [
        ("fits", "ab" * 24 + "a", 1.0),
        ("long", "ab" * 25, 1.0),
        ("repeats", "ab" * 23 + "abb", 1.0),
        ("doubled", "ab" * 23 + "aabb", 1.0),
    ]
    given = clips(train=rows, test=rows)
    kept = fits(given, letters, wav2vec2_frames, None, no_one)
    assert list(kept.train["id"]) == ["fits"]
    assert [(one.id, one.reason) for one in kept.left_out] == [
        ("long", "not alignable"),
        ("repeats", "not alignable"),
        ("doubled", "not alignable"),
    ]
    assert kept.left_out[0].detail == "49 frames in 1.00 s, the transcript needs 50"
    assert len(kept.test) == 4 and "test keeps 3 clips with this problem: not alignable" in kept.warnings[1]
    assert kept.given == len(kept.train) + len(kept.validation) + len(kept.test) + len(kept.left_out)


def test_whisper_takes_its_limit_and_no_more():
    given = clips(train=[("a", "x" * 448, 9.0), ("b", "x" * 449, 9.0)], validation=[("c", "x" * 500, 9.0)])
    kept = fits(given, letters, None, 448, no_one)
    assert list(kept.train["id"]) == ["a"] and len(kept.validation) == 1
    assert kept.left_out == (LeftOut("b", "over 448 tokens", "449 tokens", 9.0),)


def test_letters_outside_the_vocabulary_cost_train_its_clip_and_test_only_a_warning():
    given = clips(train=[("a", "plain", 1.0), ("b", "señor ñ", 1.0)], test=[("c", "ñandú", 1.0)])
    kept = fits(given, letters, None, None, lambda text: set(text) - set("abcdefghijklmnopqrstuvwxyz "))
    assert kept.left_out == (LeftOut("b", "characters outside the vocabulary", "ñ", 1.0),)
    assert len(kept.test) == 1 and "characters outside the vocabulary" in kept.warnings[1]


def test_nothing_left_to_train_on_is_an_error():
    with pytest.raises(
        DataError, match=r"no clip is left to train on; none of 1 clips(.|\n)*1 not alignable: a 4 frames"
    ):
        fits(clips(train=[("a", "too much text", 0.1)]), letters, wav2vec2_frames, None, no_one)


def test_clips_that_fit_come_back_as_they_were():
    given = clips(train=[("a", "one", 1.0)])
    assert fits(given, letters, wav2vec2_frames, 448, no_one) == given


def test_the_report_counts():
    lost = [
        LeftOut("x", "too long", "", 40.0),
        LeftOut("y", "too long", "90 s", 50.0),
        LeftOut("z", "unreadable", "", 0.0),
    ]
    found = report(
        clips(
            train=[("a1", "aaaa bb", 2.0), ("a2", "aab", 3.0), ("b1", "c", 4.0)],
            validation=[("c1", "aa", 1.0)],
            test=[("d1", "añ ñ", 1.5)],
            left_out=lost,
        ),
        encode=letters,
        batch_seconds=4,
        parameters=1000,
    )
    assert (found.sides["train"].clips, found.sides["train"].seconds, found.sides["train"].speakers) == (3, 9.0, 2)
    assert found.left_out == {"too long": (2, 90.0), "unreadable": (1, 0.0)} and found.given == 8
    assert found.characters == {"a": 6, "b": 3, "c": 1} and found.rare == {"b": 3, "c": 1} and found.unseen == {"ñ": 2}
    assert (found.label_lengths[0], found.label_lengths[50], found.label_lengths[100]) == (1, 3, 7)
    assert found.durations[50] == 3.0 and found.steps_per_epoch == 3 and found.disk_bytes == 28_000
    assert found.named == {"too long": ("x", "y (90 s)"), "unreadable": ("z",)} and found.warnings[0] == "before"
    assert any("0.1 minutes" in warning for warning in found.warnings)
    assert any(warning.endswith("train does not have: ñ") for warning in found.warnings)


def test_transcripts_of_another_recording_stand_out():
    rows = [(f"c{number}", "x" * (20 + number % 5), 1.5 + number % 3 / 10) for number in range(40)]
    odd = [("swapped", "x" * 200, 1.5), ("cut", "x", 3.0)]
    assert [identity for identity, _ in odd_rates(table(*rows, *odd))] == ["swapped", "cut"]
    assert not odd_rates(table(*rows)) and not odd_rates(table(*odd))
    warnings = report(clips(train=rows + odd)).warnings
    assert any("2 transcripts of train may be wrong" in one and "swapped (133.3)" in one for one in warnings)


def test_percentiles_are_by_nearest_rank():
    assert percentiles([float(number) for number in range(1, 101)]) == {
        0: 1,
        5: 5,
        25: 25,
        50: 50,
        75: 75,
        95: 95,
        99: 99,
        100: 100,
    }
    assert percentiles([]) == {} and set(percentiles([3.0]).values()) == {3.0}


def test_the_histogram_holds_every_clip():
    lines = histogram([0.5, 1.0, 7.9, 8.0, 8.0], bins=4).splitlines()
    assert [int(line.split()[-1]) for line in lines] == [2, 0, 0, 3]
    assert lines[0].startswith("  0.0 to   2.0 s  ##") and histogram([]) == "" and histogram([0.0])
