"""Word times and confidences: against answers worked out by hand, other implementations, and a real Whisper."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import pipeline
from transformers.models.whisper.generation_whisper import _dynamic_time_warping

from hf_asr import recipe
from hf_asr.data.audio import decode
from hf_asr.decoding.hypothesis import Word
from hf_asr.decoding.transcribe import RATE, transcribe_recording
from hf_asr.decoding.words import _parts, _symbols, alignment, first_frames, read, read_posteriors, word_spans
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import Recogniser
from tests.app import build

CLIPS = build.CLIPS
UNITS = {"[PAD]": 0, "[UNK]": 1, "|": 2}


def sound(*names: str) -> np.ndarray:
    return np.concatenate([decode({"path": str(CLIPS / f"{name}.ogg"), "bytes": None}) for name in names])


# a synthetic best path over [PAD] [UNK] | then b c e f h i k n o q r t u w x: (unit, posterior) a frame
def test_posteriors_of_a_path_make_words_with_times_and_confidences() -> None:
    recogniser = build.ctc()
    ids = recogniser.processor.tokenizer.get_vocab()
    frames = [("[PAD]", 0.9), ("f", 0.5), ("f", 0.7), ("o", 0.8), ("[PAD]", 0.99), ("o", 0.9), ("|", 0.2)]
    frames += [("[PAD]", 0.1), ("x", 0.3), ("[PAD]", 0.4)]
    best = torch.tensor([[ids[unit], posterior] for unit, posterior in frames])
    found = read_posteriors(recogniser, best, seconds=1.0)
    assert found.text == "foo x"
    foo, x = found.words
    assert (foo.text, x.text) == ("foo", "x")
    assert (foo.start, foo.end) == pytest.approx((0.1, 0.6))
    assert (x.start, x.end) == pytest.approx((0.8, 0.9))
    # f is heard in two frames, 0.6 on average; blanks and the space between words do not count
    assert foo.confidence == pytest.approx((0.6 + 0.8 + 0.9) / 3)
    assert foo.lowest == pytest.approx(0.6)
    assert x.confidence == x.lowest == pytest.approx(0.3)


def test_symbols_are_runs_of_one_unit() -> None:
    path = torch.tensor([5, 5, 0, 5, 7, 7, 7, 0])
    posteriors = torch.tensor([0.2, 0.4, 1.0, 0.5, 0.1, 0.2, 0.3, 1.0])
    found = _symbols(path, posteriors, blank=0)
    assert [start for start, _ in found] == [0, 3, 4]
    assert [mean for _, mean in found] == pytest.approx([0.3, 0.5, 0.2])


@pytest.mark.parametrize("kind", ["group", "layer"])
@pytest.mark.parametrize("seconds", [0.3, 3.7, 41.0])
@pytest.mark.parametrize("units", [recipe.Units(), recipe.Units(kind="subword", size=20)], ids=["letters", "pieces"])
def test_ctc_reads_what_transcribe_reads(kind: str, seconds: float, units: recipe.Units) -> None:
    recogniser = build.ctc(kind=kind, units=units)
    count = round(seconds * RATE)
    samples = (np.random.default_rng(3).normal(size=count) * np.linspace(0.01, 1, count)).astype(np.float32)
    expected, found = transcribe_recording(recogniser, samples, times=True), read(recogniser, samples)
    assert found.text == expected.text
    assert [(word.text, word.start, word.end) for word in found.words] == [
        (word.text, word.start, word.end) for word in expected.words
    ]
    # the best unit's posterior is at least its even share
    even = 1 / len(recogniser.processor.tokenizer)
    assert all(even <= word.lowest <= word.confidence <= 1 for word in found.words)


def test_silence_of_ctc_has_no_words() -> None:
    recogniser = build.ctc()
    blank = recogniser.processor.tokenizer.pad_token_id
    found = read_posteriors(recogniser, torch.tensor([[blank, 0.9]] * 5), seconds=0.1)
    assert (found.text, found.words) == ("", ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  one two, three ", ["one", "two,", "three"]),
        ("don't stop", ["don't", "stop"]),
        ("你好，world 好", ["你", "好，", "world", "好"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("안녕 하세요", ["안녕", "하세요"]),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_spans(text)] == words


def test_the_path_follows_blocks() -> None:
    fit = np.zeros((3, 9))
    fit[0, 0:2] = fit[1, 2:7] = fit[2, 7:9] = 1
    assert first_frames(fit) == [0, 2, 7]


def test_the_path_is_the_best_of_all() -> None:
    fit = np.random.default_rng(0).normal(size=(4, 6))

    def walk(steps: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
        return list(itertools.accumulate(steps, lambda at, step: (at[0] + step[0], at[1] + step[1]), initial=(0, 0)))

    moves = [(1, 1), (0, 1), (1, 0)]
    paths = [walk(steps) for length in range(5, 9) for steps in itertools.product(moves, repeat=length)]
    best = max((path for path in paths if path[-1] == (3, 5)), key=lambda path: sum(fit[place] for place in path))
    assert first_frames(fit) == [min(j for i, j in best if i == row) for row in range(4)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (5, 40), (40, 5), (60, 700)])
def test_the_path_is_that_of_transformers(shape: tuple[int, int]) -> None:
    fit = np.random.default_rng(sum(shape)).normal(size=shape)
    rows, columns = _dynamic_time_warping(-fit)
    assert first_frames(fit) == [int(columns[rows == row].min()) for row in range(shape[0])]


def test_weights_are_smoothed_and_averaged() -> None:
    spike = torch.zeros(2, 1, 7)
    spike[0, 0, 3] = 9.0  # alone, a median over 3 frames takes it away
    spike[1, 0, 2:5] = 4.0
    assert alignment(spike, width=3).tolist() == [[0, 0, 2, 2, 2, 0, 0]]


def test_segments_are_gathered_into_windows() -> None:
    segments = [Word(f"w{at}", at, at + 8.0) for at in (0.0, 8.0, 16.0, 24.0, 61.0)]
    found = [(part.text, part.start, part.end) for part in _parts(segments)]
    assert found == [("w0.0 w8.0 w16.0", 0.0, 24.0), ("w24.0", 24.0, 32.0), ("w61.0", 61.0, 69.0)]


@pytest.fixture(scope="module")
def whisper(whisper_checkpoint: Path) -> Recogniser:
    return checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")


@pytest.mark.slow
def test_whisper_reads_what_transcribe_reads_and_places_it_as_pipeline_does(whisper: Recogniser) -> None:
    samples = sound("en-conf-adminmenu-18")
    found = read(whisper, samples)
    assert found.text == transcribe_recording(whisper, samples).text
    assert [word.text for word in found.words] == found.text.split()
    edges = [edge for word in found.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= len(samples) / RATE
    assert all(0 < word.lowest <= word.confidence <= 1 for word in found.words)
    assert whisper.model.config._attn_implementation == "sdpa"  # put back
    plain = pipeline(
        "automatic-speech-recognition",
        model=whisper.model,
        tokenizer=whisper.processor.tokenizer,
        feature_extractor=whisper.processor.feature_extractor,
    )
    told = plain(samples, return_timestamps="word", generate_kwargs={"num_beams": 1})["chunks"]
    assert [chunk["text"].strip() for chunk in told] == [word.text for word in found.words]
    apart = [abs(chunk["timestamp"][0] - word.start) for chunk, word in zip(told, found.words, strict=True)]
    assert max(apart) <= 0.5  # one of them now and then takes the pause before it for its own
    assert float(np.median(apart)) <= 0.04


@pytest.mark.slow
def test_words_lie_in_the_clips_they_were_spoken_in(whisper: Recogniser) -> None:
    first, second = sound("en-agent-loginok"), sound("en-vm-goodbye")
    pause = np.zeros(2 * RATE, np.float32)
    found = read(whisper, np.concatenate([first, pause, second]))
    assert [word.text.strip(",.!").lower() for word in found.words] == ["agent", "logged", "in", "goodbye"]
    *before, goodbye = found.words
    assert before[0].start < len(first) / RATE
    assert before[-1].start < len(first) / RATE
    begins = (len(first) + len(pause)) / RATE
    # a word owns the pause before it, so that its end is what tells
    assert begins < goodbye.end <= begins + len(second) / RATE + 0.02


@pytest.mark.slow
def test_a_long_recording_is_placed_to_its_end(whisper: Recogniser) -> None:
    samples = sound("en-conf-adminmenu-18", "en-conf-adminmenu")
    assert len(samples) > 30 * RATE
    found = read(whisper, samples)
    assert found.text == transcribe_recording(whisper, samples).text
    assert [word.text for word in found.words] == found.text.split()
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)
    assert len(samples) / RATE - 3 < found.words[-1].end <= len(samples) / RATE + 0.02


@pytest.mark.slow
def test_doubt_is_where_the_errors_are(whisper: Recogniser) -> None:
    # "Sorry, but ..." is heard as "Story, but ..."
    found = read(whisper, sound("en-vm-mailboxfull"))
    doubted = min(found.words, key=lambda word: word.confidence)
    assert doubted.text.lower().strip(",") != "sorry"
    assert doubted is found.words[0]
