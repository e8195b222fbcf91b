"""What the page does when somebody gives it sound: every answer is HTML, an error too, and the page goes on."""

import base64
import csv
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from hf_asr.app import live, page
from hf_asr.app.systems import Exhibit, System
from hf_asr.data.audio import RATE, AudioError, decode, probe
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.decoding.words import Reading, read
from hf_asr.errors import UserError

MAX_SECONDS = 600  # of a recording
FEWEST_SECONDS = 0.1
MAX_FILES = 500  # at once
MAX_CHUNK = 16 * 2**20  # characters of base64: two minutes at 48 kHz
SPEAKERS = 8  # live at once
IDLE_SECONDS = 120  # without sound, after which a session is forgotten
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets run when a cell begins with it

decoding = Lock()  # one recording at a time: Whisper's window is a setting of the model
log = logging.getLogger(__name__)


def told(error: Exception) -> str:
    """What a visitor may read of an error: ours in full, of others nothing, as they may name a path."""
    if isinstance(error, UserError):
        return str(error)
    log.error("the page could not do something", exc_info=error)
    return "This did not work; the terminal that serves the page says why. The page itself goes on."


def load(path: str) -> np.ndarray:
    """An uploaded recording, float [samples] at 16 kHz. Raises AudioError."""
    file = Path(path)
    if not file.resolve().is_relative_to(Path(os.environ["GRADIO_TEMP_DIR"]).resolve()):
        raise AudioError("only what was uploaded to this page is read")
    audio = {"path": str(file), "bytes": None}
    seconds = probe(audio)  # by its header, before a long one takes memory
    if seconds <= MAX_SECONDS:
        samples = decode(audio)
        seconds = len(samples) / RATE
    if seconds > MAX_SECONDS:
        raise AudioError(
            f"{file.name} lasts {seconds / 60:.1f} minutes, this page takes {MAX_SECONDS // 60}:"
            " `hf-asr transcribe` reads recordings of any length"
        )
    if seconds < FEWEST_SECONDS:
        raise AudioError(f"{file.name} lasts {seconds:.2f} s: that is too short to hold a word")
    return samples


def on_clip(exhibit: Exhibit, path: str | None) -> Iterator[str]:
    """One recording, read by every system; cards fill as they finish."""
    if path is None:
        yield page.cards(exhibit, {})
        return
    yield page.cards(exhibit, {}, waiting=True)
    try:
        yield from _cards(exhibit, load(path))
    except Exception as error:
        yield page.problem(told(error))


def _cards(exhibit: Exhibit, samples: np.ndarray) -> Iterator[str]:
    readings: dict[str, tuple[Reading, float]] = {}
    for system in exhibit.systems:
        if system.recogniser is not None:
            with decoding:
                begun = time.monotonic()
                reading = read(system.recogniser, samples, system.beams)
            readings[system.name] = reading, time.monotonic() - begun
            yield page.cards(exhibit, readings, waiting=True)


def on_hear(sessions: dict[str, live.Session], asked: Mapping[str, Any], exhibit: Exhibit) -> dict[str, Any]:
    """A piece of a live recording (`session`, `sound`: a WAV file in base64) → text so far, and whether it is full."""
    try:
        session = _session(sessions, str(asked["session"]))
        sound = str(asked["sound"])
        if len(sound) > MAX_CHUNK:
            raise AudioError("too much sound at once")
        piece = base64.b64decode(sound, validate=True)
        if not piece.startswith(b"RIFF"):  # its header tells how long it is, before it takes memory
            raise AudioError("what came is not a recording in WAV, as this page sends it")
        audio = {"path": None, "bytes": piece}
        if probe(audio) > live.LONGEST_SECONDS:
            raise AudioError("too much sound at once")
        live.hear(session, decode(audio))
        with decoding:
            new = live.advance(session, exhibit.systems[0])
    except Exception as error:
        return {"html": page.problem(told(error)), "full": True}
    html = page.live(session.settled, session.open, session.read_to / RATE) if new else ""
    return {"html": html, "full": session.seconds >= live.LONGEST_SECONDS}


def _session(sessions: dict[str, live.Session], name: str) -> live.Session:
    """The session of this name, begun when it is new. Those that nobody speaks in any more make room."""
    now = time.monotonic()
    for other in [key for key, session in sessions.items() if now - session.arrived > IDLE_SECONDS]:
        del sessions[other]
    if name not in sessions:
        if len(sessions) >= SPEAKERS:
            raise UserError(f"{SPEAKERS} people are speaking already: try again in a minute")
        sessions[name] = live.Session(arrived=now)
    return sessions[name]


def on_finish(sessions: dict[str, live.Session], asked: Mapping[str, Any], exhibit: Exhibit) -> dict[str, Any]:
    """The whole session read once more, as a file of it would be; with `begin`, the card that waits for it."""
    name, ours = str(asked.get("session")), replace(exhibit, systems=exhibit.systems[:1])
    if asked.get("begin"):
        return {"html": page.cards(ours, {}, waiting=True)}
    session = sessions.pop(name, None)
    if session is None or session.seconds < FEWEST_SECONDS:
        return {"html": ""}
    try:
        *_, html = _cards(ours, session.samples)
    except Exception as error:
        html = page.problem(told(error))
    return {"html": html}


def on_files(exhibit: Exhibit, paths: Sequence[str] | None, compare: bool) -> Iterator[tuple[str, list[str]]]:
    """(table, files to download): a transcript each, and why there is none."""
    systems = [system for system in exhibit.systems if system.recogniser is not None][: None if compare else 1]
    names = [system.name for system in systems]
    given = list(paths or ())
    rows: list[dict[str, Any]] = []
    if len(given) > MAX_FILES:
        yield page.problem(f"{len(given)} files were given, this page takes {MAX_FILES} at once"), []
        return
    for path in given:
        yield page.table(rows, names, len(given)), []
        rows.append(_transcribed(systems, path))
    try:
        yield page.table(rows, names, len(given)), downloads(rows, names) if rows else []
    except OSError as error:
        yield page.problem(told(error)), []


def _transcribed(systems: Sequence[System], path: str) -> dict[str, Any]:
    row: dict[str, Any] = {"file": Path(path).name}
    try:
        samples = load(path)
        row["seconds"] = round(len(samples) / RATE, 3)
        for system in systems:
            if system.recogniser is not None:
                with decoding:
                    row[system.name] = transcribe_recording(system.recogniser, samples, system.beams).text
    except Exception as error:
        row["error"] = told(error)
    return row


def downloads(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """transcripts.jsonl and transcripts.csv, as paths; JSON is exact, CSV safe to open as a spreadsheet."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))
    lines, sheet = folder / "transcripts.jsonl", folder / "transcripts.csv"
    lines.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    with sheet.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["file", "seconds", *names, "error"])
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return [str(lines), str(sheet)]


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
