"""What the page answers to recordings, good and bad."""

import base64
import csv
import io
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hf_asr.app import events, live
from hf_asr.app.systems import Exhibit
from hf_asr.data.audio import AudioError, decode
from hf_asr.decoding.transcribe import transcribe_recording
from tests.app import build
from tests.app.test_page import Outline

CLIP = build.CLIPS / "en-vm-goodbye.ogg"


def upload(folder: Path, name: str = "clip.ogg", clip: Path = CLIP) -> str:
    shutil.copyfile(clip, folder / name)
    return str(folder / name)


def noise(path: Path, seconds: float, rate: int = 16_000) -> str:
    soundfile.write(path, np.random.default_rng(0).normal(size=round(seconds * rate)) / 10, rate)
    return str(path)


def text_of(exhibit: Exhibit, clip: Path = CLIP, number: int = 0) -> str:
    samples = decode({"path": str(clip), "bytes": None})
    recogniser = exhibit.systems[number].recogniser
    assert recogniser is not None
    return transcribe_recording(recogniser, samples).text


def test_a_clip_is_read_by_every_system_as_transcribe_reads_it(exhibit: Exhibit, uploads: Path) -> None:
    first, *_, last = events.on_clip(exhibit, upload(uploads))
    assert "reading …" in Outline(first).text
    expected = [text_of(exhibit, number=number) for number in range(3)]
    assert len(set(expected)) == 3, "they say the same: a weak test"
    for text in expected:
        assert text in Outline(last).text
    assert "reading …" not in Outline(last).text


def test_no_clip_empties_the_cards(exhibit: Exhibit, uploads: Path) -> None:
    (only,) = events.on_clip(exhibit, None)
    assert "Its transcript will stand here" in Outline(only).text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("page.wav", b"<html>no sound</html>", "page.wav is not a recording that can be read"),
        ("nothing.wav", b"", "nothing.wav is empty"),
        ("half.flac", None, "half.flac is truncated"),
        ("evil<b>.wav", b"RIFF", "evil<b>.wav"),
    ],
)
def test_what_is_no_recording_is_told(
    exhibit: Exhibit, uploads: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is None:
        noise(uploads / "whole.flac", 2)
        whole = (uploads / "whole.flac").read_bytes()
        content = whole[: len(whole) // 2]
    (uploads / name).write_bytes(content)
    *_, last = events.on_clip(exhibit, str(uploads / name))
    found = Outline(last)
    assert message in found.text
    assert str(uploads) not in last
    assert found.tags[0][1].get("role") == "alert"
    # and the page goes on
    *_, last = events.on_clip(exhibit, upload(uploads))
    assert text_of(exhibit) in Outline(last).text


def test_long_and_very_short_ones_are_told(uploads: Path) -> None:
    with pytest.raises(AudioError, match=r"long.wav lasts 10.5 minutes, this page takes 10: `hf-asr transcribe`"):
        events.load(noise(uploads / "long.wav", 630, rate=1000))
    with pytest.raises(AudioError, match="too short"):
        events.load(noise(uploads / "short.wav", 0.05))
    assert len(events.load(noise(uploads / "fits.wav", 600, rate=1000))) == 600 * 16_000


@pytest.mark.parametrize("way", ["outside", "dots", "link"])
def test_only_what_was_uploaded_is_read(uploads: Path, tmp_path: Path, way: str) -> None:
    noise(tmp_path / "secret.wav", 1)
    (uploads / "link.wav").symlink_to(tmp_path / "secret.wav")
    path = {
        "outside": tmp_path / "secret.wav",
        "dots": uploads / ".." / "secret.wav",
        "link": uploads / "link.wav",
    }[way]
    with pytest.raises(AudioError, match="only what was uploaded"):
        events.load(str(path))


def test_a_fault_of_the_program_shows_nothing_of_it(
    exhibit: Exhibit, uploads: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/srv/secret/place is on fire")

    monkeypatch.setattr(events, "read", broken)
    with caplog.at_level(logging.ERROR):
        *_, last = events.on_clip(exhibit, upload(uploads))
    assert "secret" not in last
    assert "the terminal that serves the page says why" in Outline(last).text
    assert "on fire" in caplog.text


def test_many_files_become_a_table_and_two_downloads(exhibit: Exhibit, uploads: Path) -> None:
    (uploads / "bad.wav").write_bytes(b"no sound")
    second = build.CLIPS / "en-hello-world.ogg"
    paths = [upload(uploads), str(uploads / "bad.wav"), upload(uploads, "=cmd.ogg", second)]
    *_, (html, (lines, sheet)) = events.on_files(exhibit, paths, compare=True)
    assert "3 of 3 files, 1 could not be read" in Outline(html).text
    rows = [json.loads(line) for line in Path(lines).read_text(encoding="utf-8").splitlines()]
    assert [row["file"] for row in rows] == ["clip.ogg", "bad.wav", "=cmd.ogg"]
    assert rows[0] == {
        "file": "clip.ogg",
        "seconds": round(soundfile.info(CLIP).duration, 3),
        **{system.name: text_of(exhibit, number=number) for number, system in enumerate(exhibit.systems)},
    }
    assert rows[1].keys() == {"file", "error"}
    assert rows[2]["fine-tuned"] == text_of(exhibit, second)
    table = list(csv.DictReader(io.StringIO(Path(sheet).read_text(encoding="utf-8-sig"))))
    assert [row["file"] for row in table] == ["clip.ogg", "bad.wav", "'=cmd.ogg"], "no formula in a spreadsheet"
    assert table[0]["zero-shot"] == rows[0]["zero-shot"]
    assert table[1]["error"] == rows[1]["error"]


def test_many_files_are_read_by_one_system_unless_asked(exhibit: Exhibit, uploads: Path) -> None:
    *_, (_, (lines, _)) = events.on_files(exhibit, [upload(uploads)], compare=False)
    assert set(json.loads(Path(lines).read_text(encoding="utf-8"))) == {"file", "seconds", "fine-tuned"}


def test_too_many_files_are_told(exhibit: Exhibit) -> None:
    ((html, ready),) = events.on_files(exhibit, ["x.wav"] * 501, compare=False)
    assert "501 files were given, this page takes 500 at once" in Outline(html).text
    assert ready == []
    assert list(events.on_files(exhibit, None, compare=False)) == [("", [])]


def asked(session: str, samples: np.ndarray, rate: int = 16_000) -> dict[str, str]:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return {"session": session, "sound": base64.b64encode(file.getvalue()).decode()}


def test_a_live_session_ends_with_what_a_file_of_it_gives(exhibit: Exhibit) -> None:
    samples = decode({"path": str(CLIP), "bytes": None})
    sessions: dict[str, live.Session] = {}
    answers = [
        events.on_hear(sessions, asked("me", samples[start : start + 8000]), exhibit)
        for start in range(0, len(samples), 8000)
    ]
    assert not any(answer["full"] for answer in answers)
    assert any("s heard" in answer["html"] for answer in answers)
    assert "reading …" in Outline(events.on_finish(sessions, {"session": "me", "begin": True}, exhibit)["html"]).text
    html = events.on_finish(sessions, {"session": "me"}, exhibit)["html"]
    heard = np.round(samples * 32768).clip(-32768, 32767).astype(np.int16).astype(np.float32) / 32768
    recogniser = exhibit.systems[0].recogniser
    assert recogniser is not None
    assert transcribe_recording(recogniser, heard).text in Outline(html).text
    assert sessions == {}
    assert events.on_finish(sessions, {"session": "me"}, exhibit)["html"] == ""


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"session": "me", "sound": "!!!"}, "the terminal"),
        ({"session": "me", "sound": base64.b64encode(b"no sound at all").decode()}, "not a recording"),
        ({"session": "me", "sound": "A" * (16 * 2**20 + 1)}, "too much sound at once"),
        (asked("me", np.zeros(8000), 1), "too much sound at once"),  # 16 kB that would become two hours
        ({}, "the terminal"),
    ],
)
def test_bad_sound_ends_a_live_session_in_words(exhibit: Exhibit, question: dict[str, str], message: str) -> None:
    answer = events.on_hear({}, question, exhibit)
    assert message in Outline(answer["html"]).text
    assert answer["full"] is True


def test_only_so_many_speak_at_once_and_the_silent_make_room(exhibit: Exhibit, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: dict[str, live.Session] = {}
    little = np.zeros(1600)
    for number in range(8):
        assert not events.on_hear(sessions, asked(str(number), little), exhibit)["full"]
    assert "8 people are speaking already" in events.on_hear(sessions, asked("ninth", little), exhibit)["html"]
    sessions["3"].arrived -= 121
    assert not events.on_hear(sessions, asked("ninth", little), exhibit)["full"]
    assert "3" not in sessions
