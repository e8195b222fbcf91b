"""Audio files to text, JSON or subtitles."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from hf_asr import recipe
from hf_asr.data.audio import RATE, AudioError, decode
from hf_asr.decoding.decoder import asked
from hf_asr.decoding.hypothesis import Hypothesis, ScoredWord, Word
from hf_asr.decoding.transcribe import transcribe_recording
from hf_asr.models.checkpoints import from_folder, saved_beams
from hf_asr.screen import say

LINE_WORDS, LINE_SECONDS = 10, 6.0  # a subtitle made of words ends after either, or at a pause
PAUSE_SECONDS = 0.8


def transcribe_files(
    files: Sequence[Path],
    model: str,
    form: Literal["text", "json", "srt", "vtt"],
    language: str | None,
    beams: int | None,
    lm: Path | None = None,
) -> Iterator[tuple[Path, str | None]]:
    """(file, what to print), None for a file that cannot be read: it is told, and the others go on.

    `lm`: a model folder with a language model, for CTC.
    """
    import torch

    decoder = asked(lm, model)
    recogniser = from_folder(model, recipe.Whisper(), language)
    recogniser.model.to("cuda" if torch.cuda.is_available() else "cpu")
    width = beams or saved_beams(recogniser)
    for file in files:
        try:
            samples = decode({"path": str(file), "bytes": None})
        except AudioError as error:
            say(f"[red]error[/] {error}")
            yield file, None
            continue
        found = transcribe_recording(recogniser, samples, width, times=form != "text", decoder=decoder)
        yield file, written(file, found, len(samples) / RATE, form)


def written(file: Path, found: Hypothesis, seconds: float, form: str) -> str:
    if form == "text":
        return found.text
    if form == "json":
        row = {"file": str(file), "seconds": round(seconds, 3), "text": found.text, "parts": [*map(_part, found.words)]}
        return json.dumps(row, ensure_ascii=False)
    mark = "," if form == "srt" else "."
    blocks = [
        (f"{number}\n" if form == "srt" else "")
        + f"{_clock(line.start, mark)} --> {_clock(line.end, mark)}\n{line.text}"
        for number, line in enumerate(subtitles(found.words), 1)
    ]
    return "\n\n".join((["WEBVTT"] if form == "vtt" else []) + blocks) + "\n"


def _part(word: Word) -> dict[str, Any]:
    part = {"text": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
    return part | ({"confidence": round(word.confidence, 3)} if isinstance(word, ScoredWord) else {})


def subtitles(words: Sequence[Word]) -> list[Word]:
    """Words gathered into lines short enough to read; short segments of Whisper's are joined likewise."""
    lines: list[Word] = []
    for word in words:
        last = lines[-1] if lines else None
        if (
            last is None
            or word.start - last.end > PAUSE_SECONDS
            or word.end - last.start > LINE_SECONDS
            or len(last.text.split()) + len(word.text.split()) > LINE_WORDS
        ):
            lines.append(word)
        else:
            lines[-1] = Word(f"{last.text} {word.text}", last.start, word.end)
    return lines


def _clock(seconds: float, mark: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
