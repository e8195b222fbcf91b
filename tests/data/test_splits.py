import random
from collections import Counter

import pytest

from hf_asr.data.splits import SIDES, Row, divide, transcript_key
from hf_asr.data.tables import DataError
from hf_asr.recipe import Splits


def clips(count, seconds=2.0, speakers=None, groups=None, texts=None):
    return [
        Row(
            f"c{number}",
            f"text {number % texts if texts else number}",
            seconds + number % 7 / 10,
            f"s{number % speakers}" if speakers else None,
            f"g{number % groups}" if groups else None,
        )
        for number in range(count)
    ]


def by_id(rows, splits):
    return dict(zip([row.id for row in rows], divide(rows, splits)[0], strict=True))


def seconds_of(rows, sides):
    return {side: sum(row.seconds for row, at in zip(rows, sides, strict=True) if at == side) for side in set(sides)}


def across(rows, sides, attribute):
    """Values of an attribute that are on two sides."""
    held = {
        side: {getattr(row, attribute) for row, at in zip(rows, sides, strict=True) if at == side} for side in SIDES
    }
    return (held["train"] & held["test"]) | (held["train"] & held["validation"]) | (held["validation"] & held["test"])


@pytest.mark.parametrize("by", ["auto", "group", "speaker", "transcript", "clip"])
def test_the_order_of_rows_does_not_matter_and_the_seed_does(by):
    rows = clips(300, speakers=40, groups=60, texts=250)
    shuffled = random.Random(1).sample(rows, len(rows))
    splits = Splits(by=by)
    assert by_id(rows, splits) == by_id(shuffled, splits) == by_id(rows, splits)
    assert by_id(rows, splits) != by_id(rows, Splits(by=by, seed=1))


def test_the_division_is_this_one_on_every_machine():
    sides, _ = divide(clips(20), Splits(test=0.2))
    assert [number for number, side in enumerate(sides) if side == "test"] == [0, 6, 11, 15]


# two clips a group, one of which says what all others say
CHORUS = [Row(f"{n}{text}", text, 2.0, None, f"g{n}") for n in range(60) for text in ("yes", f"text {n}")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (CHORUS, "transcript"),
        (clips(300, speakers=40, groups=60), "group"),
        (clips(300, speakers=40, groups=2), "speaker"),
        (clips(300, speakers=2, groups=1), "transcript"),
        (clips(300, speakers=3, groups=4), "transcript"),  # the smallest group is over twice 10 %
        (clips(300), "transcript"),
        (clips(300, groups=60, texts=8), "transcript"),  # else most clips were lost to shared transcripts
    ],
)
def test_auto_chooses_what_can_be_kept_apart(rows, expected):
    sides, _ = divide(rows, Splits())
    assert sides == divide(rows, Splits(by=expected))[0]
    assert set(sides) == set(SIDES)
    assert not across(rows, sides, {"transcript": "text"}.get(expected, expected))


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.1), (0.05, 0.3), (60, 120), (0, 0.2), (0.2, 0)])
def test_sizes_are_met(validation, test):
    rows = clips(400)
    total = sum(row.seconds for row in rows)
    got = seconds_of(rows, divide(rows, Splits(validation=validation, test=test))[0])
    for side, size in (("validation", validation), ("test", test)):
        assert got.get(side, 0) == pytest.approx(size * total if size < 1 else size, abs=2.6)


def test_ljspeech_like_chapters_are_near_the_size_asked_for():
    rows = [Row(f"{c}-{n}", f"{c} {n}", 6.0, "linda", f"LJ{c}") for c in range(50) for n in range(100 + 7 * c % 200)]
    total = sum(row.seconds for row in rows)
    sides, warnings = divide(rows, Splits(validation=0.05, test=0.1))
    got = seconds_of(rows, sides)
    assert got["test"] == pytest.approx(0.1 * total, rel=0.15) and got["validation"] == pytest.approx(
        0.05 * total, rel=0.3
    )
    assert not across(rows, sides, "group") and not warnings


def test_what_names_no_speaker_goes_by_its_transcript():
    rows = clips(100, speakers=10) + [Row(f"n{number}", f"same {number // 5}", 2.0) for number in range(100)]
    sides, _ = divide(rows, Splits(by="speaker", test=0.3))
    assert not across(rows[:100], sides[:100], "speaker") and not across(rows[100:], sides[100:], "text")
    assert Counter(sides[100:])["test"]


SAME = [
    ("Hello, world!", "hello world"),
    ("It's", "ITS"),
    ("Straße", "STRASSE"),
    ("twenty-one", "Twenty one"),
    ("ﬁve", "five"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_transcripts_that_differ_in_case_and_punctuation_are_the_same(one, other):
    assert transcript_key(one) == transcript_key(other)


def test_transcripts_that_differ_in_words_accents_or_symbols_alone_are_not_the_same():
    keys = [transcript_key(text) for text in ("si", "sí", "si no", "?", "!", "1", "2", "हिन्दी", "हनद")]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("by", ["group", "speaker", "clip"])
def test_a_transcript_is_never_on_two_sides(by):
    rows = clips(600, speakers=40, groups=48, texts=450)
    sides, _ = divide(rows, Splits(by=by))
    assert not across(rows, sides, "text")
    lost = Counter(side for side in sides if side not in SIDES)
    assert set(lost) == {"transcript also in test", "transcript also in validation"}
    test = {row.text for row, side in zip(rows, sides, strict=True) if side == "test"}
    assert all(row.text in test for row, side in zip(rows, sides, strict=True) if side == "transcript also in test")


def test_given_sides_stay_and_lose_shared_transcripts():
    rows = [
        Row("a", "One.", 1, "ann", use="train"),
        Row("b", "two", 1, "bo", use="train"),
        Row("c", "three", 1, "cy", use="train"),
        Row("d", "Two", 1, "dee", use="validation"),
        Row("e", "one", 1, "ed", use="validation"),
        Row("f", "ONE", 1, "ann", use="test"),
    ]
    sides, warnings = divide(rows, Splits())
    assert sides == [
        "transcript also in test",
        "transcript also in validation",
        "train",
        "validation",
        "transcript also in test",
        "test",
    ]
    assert not warnings  # ann's train clip is gone


def test_a_speaker_on_two_given_sides_is_a_warning():
    rows = [Row("a", "one", 1, "ann", use="train"), Row("b", "two", 1, "ann", use="test")]
    assert divide(rows, Splits()) == (["train", "test"], ["1 speaker is in test and in train (ann)"])


def test_one_reader_alone_is_no_warning_when_divided_by_transcript():
    assert divide(clips(50, speakers=1), Splits())[1] == []
    assert "2 speakers are in test and in train (s0, s1)" in divide(clips(50, speakers=2), Splits())[1]


def test_groups_that_could_not_be_kept_apart_are_a_warning():
    told = divide(clips(50, groups=2), Splits())[1]
    assert "2 groups are in test and in train (g0, g1)" in told
    assert divide(clips(50, groups=1), Splits())[1] == []
    rows = [Row("a", "one", 1, None, "monday", use="train"), Row("b", "two", 1, None, "monday", use="test")]
    assert divide(rows, Splits())[1] == ["1 group is in test and in train (monday)"]


def test_a_side_that_a_source_fills_is_not_taken_from_the_others():
    rows = [*clips(50), Row("t", "the test", 5.0, use="test")]
    sides, _ = divide(rows, Splits())
    assert Counter(sides)["test"] == 1 and sides[-1] == "test" and Counter(sides)["validation"]


def test_a_large_speaker_is_a_warning():
    _, warnings = divide(clips(40, speakers=3), Splits(by="speaker", validation=0, test=0.1))
    assert any("test has" in warning and "were asked for" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("rows", "splits", "message"),
    [
        (
            clips(10),
            Splits(validation=100, test=600),
            r"600 s of test and 100 s of validation; the clips to divide last 22\.[0-9] s",
        ),
        (clips(2), Splits(), "no clip is left for train: 2 clips with 2 different transcripts"),
        (clips(10, texts=1), Splits(), "no clip is left for train and validation.*1 different transcripts"),
        (clips(10), Splits(by="speaker"), "no clip names its speaker: set speaker_column"),
        (clips(10), Splits(by="group"), "no clip names its group"),
        (clips(9, speakers=2), Splits(by="speaker"), "no clip is left for train"),
    ],
)
def test_impossible_divisions_say_why(rows, splits, message):
    with pytest.raises(DataError, match=message):
        divide(rows, splits)
