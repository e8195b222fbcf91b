"""Live text: what settles stays, nothing is lost, and the end is near what one reading gives."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hf_asr import recipe
from hf_asr.app import live
from hf_asr.app.systems import System
from hf_asr.data.audio import decode
from hf_asr.decoding.ctc import best_path
from hf_asr.decoding.transcribe import RATE, transcribe_recording
from hf_asr.evaluation.metrics import score
from hf_asr.models import checkpoints
from tests.app import build


def sound(*names: str) -> np.ndarray:
    return np.concatenate([decode({"path": str(build.CLIPS / f"{name}.ogg"), "bytes": None}) for name in names])


@pytest.fixture(scope="module")
def ctc() -> System:
    return System("fine-tuned", "small", build.ctc(kind="layer"))


def spoken(system: System, samples: np.ndarray, step: float) -> list[tuple[str, str]]:
    """(settled, open) after every piece of `step` seconds."""
    session, told = live.Session(), []
    for start in range(0, len(samples), round(step * RATE)):
        live.hear(session, samples[start : start + round(step * RATE)])
        if live.advance(session, system):
            told.append((session.settled, session.open))
    return told


@pytest.mark.parametrize("step", [0.5, 0.73, 2.0])
def test_ctc_settles_words_that_stay(ctc: System, step: float) -> None:
    told = spoken(ctc, sound("en-conf-adminmenu-18"), step)
    for (before, _), (after, _) in pairwise(told):
        assert after.startswith(before)
    assert len(told[-1][0].split()) > 20
    assert told[-1][1]


def test_ctc_in_one_piece_is_what_a_file_gives(ctc: System) -> None:
    samples = sound("en-vm-goodbye", "en-hello-world")
    assert ctc.recogniser is not None
    ((settled, rest),) = spoken(ctc, samples, 60)
    assert f"{settled} {rest}".strip() == transcribe_recording(ctc.recogniser, samples).text


def test_ctc_in_pieces_loses_no_frame(ctc: System) -> None:
    samples = sound("en-conf-adminmenu-18")
    session = live.Session()
    for start in range(0, len(samples), 12_345):
        live.hear(session, samples[start : start + 12_345])
        live.advance(session, ctc)
    assert ctc.recogniser is not None
    (whole,) = best_path(ctc.recogniser, [samples])
    stride = live.frame_stride(ctc.recogniser)
    assert stride == 320
    # all but the last second are settled, and most of them as one reading of the whole has them
    assert len(session.path) == pytest.approx(len(whole) - RATE / stride, abs=45)
    heard, count = np.array(session.path), len(session.path) - 2
    same = [float(np.mean(heard[1:-1] == whole.numpy()[at : at + count])) for at in range(3)]
    assert same[1] > 0.75, "with less to hear it reads a little differently"
    assert max(same[0], same[2]) < 0.6, "a frame too early or too late would be seen"


def test_too_little_sound_is_not_read(ctc: System) -> None:
    session = live.Session()
    live.hear(session, np.zeros(RATE // 4, np.float32))
    assert not live.advance(session, ctc)
    live.hear(session, np.zeros(RATE // 4, np.float32))
    assert live.advance(session, ctc)
    assert not live.advance(session, ctc)


def test_a_session_has_an_end(ctc: System) -> None:
    session = live.Session()
    for _ in range(40):
        live.hear(session, np.zeros(10 * RATE, np.float32))
    assert session.seconds == live.LONGEST_SECONDS


def test_a_window_is_cut_where_it_is_quietest() -> None:
    samples = np.random.default_rng(0).normal(size=10 * RATE)
    samples[2 * RATE : 3 * RATE] = 0  # in the first half: passed over
    samples[7 * RATE : round(7.3 * RATE)] *= 0.01
    assert 7 * RATE <= live.quietest(samples) <= 7.3 * RATE


def test_silence_is_not_given_to_whisper() -> None:
    system = System("fine-tuned", "none", build.ctc())  # would fail: CTC has no generate()
    session = live.Session()
    live._advance_whisper(session, system, np.zeros(20 * RATE, np.float32))
    assert (session.settled, session.open) == ("", "")
    assert session.begun > 7 * RATE


@pytest.mark.slow
def test_whisper_settles_and_agrees_with_one_reading(whisper_checkpoint: Path) -> None:
    recogniser = checkpoints.from_folder(str(whisper_checkpoint), recipe.Whisper(), "en")
    system = System("fine-tuned", "whisper", recogniser)
    samples = sound("en-conf-adminmenu-18")  # 20 s: longer than a window
    told = spoken(system, samples, 4.0)
    settled, rest = told[-1]
    assert any(settled for settled, _ in told[:-1])
    reference = transcribe_recording(recogniser, samples).text

    def plain(text: str) -> str:
        return "".join(char for char in text.lower() if char.isalnum() or char == " ")

    assert score([plain(reference)], [plain(f"{settled} {rest}")]).wer < 0.25
