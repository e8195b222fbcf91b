"""Text, JSON and subtitles, as their formats ask for them."""

import json
from pathlib import Path

import pytest

from hf_asr.decoding.files import subtitles, written
from hf_asr.decoding.hypothesis import Hypothesis, ScoredWord, Word

FOUND = Hypothesis(
    "good morning all", (Word("good", 0.5, 0.8), Word("morning", 0.9, 1.25), Word("all", 3661.0, 3661.5))
)


def test_srt() -> None:
    assert written(Path("a.wav"), FOUND, 3662.0, "srt") == (
        "1\n00:00:00,500 --> 00:00:01,250\ngood morning\n\n2\n01:01:01,000 --> 01:01:01,500\nall\n"
    )


def test_vtt() -> None:
    assert written(Path("a.wav"), FOUND, 3662.0, "vtt").startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.250\ngood")


def test_json() -> None:
    row = json.loads(written(Path("a.wav"), FOUND, 3662.0, "json"))
    assert row["text"] == "good morning all"
    assert row["parts"][1] == {"text": "morning", "start": 0.9, "end": 1.25}
    sure = Hypothesis("good", (ScoredWord("good", 0.5, 0.8, 0.98765, 0.5),))
    (part,) = json.loads(written(Path("a.wav"), sure, 1.0, "json"))["parts"]
    assert part == {"text": "good", "start": 0.5, "end": 0.8, "confidence": 0.988}


def test_text() -> None:
    assert written(Path("a.wav"), FOUND, 3662.0, "text") == "good morning all"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ([Word("w", 0.5 * n, 0.5 * n + 0.4) for n in range(10)], 1),
        ([Word("w", 0.5 * n, 0.5 * n + 0.4) for n in range(11)], 2),  # more than 10 words
        ([Word("w", 1.0 * n, 1.0 * n + 0.9) for n in range(8)], 2),  # more than 6 s
        ([Word("w", 0.0, 0.4), Word("w", 1.3, 1.5)], 2),  # a pause
        ([], 0),
    ],
)
def test_lines(words: list[Word], lines: int) -> None:
    assert len(subtitles(words)) == lines
    assert " ".join(line.text for line in subtitles(words)) == " ".join(word.text for word in words)
