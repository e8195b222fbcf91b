"""The test clips as the page's script reads them: texts, word errors and recordings in one JSON island."""

import base64
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hf_asr import run
from hf_asr.evaluation.metrics import word_diff
from hf_asr.recipe import Recipe
from hf_asr.report.numbered import RECORDING
from hf_asr.report.words import PIPELINE, is_number
from hf_asr.text.normalise import UNSPACED, normalise

FINE_TUNED = "fine-tuned"
TYPES = {".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg"}


@dataclass(frozen=True)
class Island:
    """JSON for the page, safe inside <script>, and what found no room in it."""

    json: str
    clips: int  # of `given`
    given: int
    recordings: int  # of `kept`
    kept: int
    written: bool  # transcripts and hypotheses as written are there, too
    characters: bool  # errors are counted in characters: the script writes no spaces


NOTHING = Island("", 0, 0, 0, 0, True, False)


def island(
    folder: Path, rows: Sequence[Any], recipe: Recipe, systems: Sequence[str], recordings: int, room: int
) -> Island:
    """Every clip with all errors, then recordings of the worst, then texts as written, as `room` allows.

    room: bytes. Clips that find no room are those with the fewest errors.
    """
    heard = [name for name in systems if all(PIPELINE in row["systems"].get(name, {}) for row in rows)] if rows else []
    characters = _unspaced([row["reference"] for row in rows])
    columns = _columns(rows, recipe, heard, characters)
    chosen = FINE_TUNED if FINE_TUNED in heard else next(iter(heard), "")
    errors = [sum(op != "=" for op in ops) for ops in columns["ops"].get(chosen, [""] * len(rows))]
    ranking = sorted(range(len(rows)), key=lambda n: (-errors[n], n))
    kept = sorted(_fitting(columns, ranking, room * 4 // 5))
    columns = _taken(columns, kept)
    room -= len(_json(columns).encode())

    ranked = [(rows[n]["id"], rows[n].get(RECORDING, rows[n]["id"])) for n in ranking]
    wanted = _recordings(folder, ranked, recordings)
    audio: dict[str, str] = {}
    for identity, path in wanted:
        data = f"data:{TYPES[path.suffix.lower()]};base64,{base64.b64encode(path.read_bytes()).decode()}"
        if len(data) + len(identity) + 100 <= room:
            audio[identity] = data
            room -= len(data) + len(identity) + 100
    extras = _taken(_as_written(rows, heard), kept)
    written = len(_json(extras).encode()) <= room
    text = _json({**columns, **(extras if written else {}), "audio": audio})
    return Island(text, len(kept), len(rows), len(audio), len(wanted), written, characters)


def align(reference: str, hypothesis: str) -> tuple[str, str]:
    """One letter a word (= s d i), and the words heard that differ, parted by spaces; as WER counts them.

    No letters at all: every word is right, which is most clips of a good system.
    """
    if reference == hypothesis:
        return "", ""
    ops, words = [], []
    for kind, said, heard in word_diff(reference, hypothesis):
        ops.append(("=" if kind == "equal" else kind[0]) * max(len(said), len(heard)))
        if kind in ("substitute", "insert"):
            words += heard
    return "".join(ops), " ".join(words)


def _columns(rows: Sequence[Any], recipe: Recipe, systems: Sequence[str], characters: bool) -> dict[str, Any]:
    references = [_units(row["reference"], characters) for row in rows]
    columns: dict[str, Any] = {
        "id": [row["id"] for row in rows],
        "speaker": [row.get("speaker") for row in rows],
        "seconds": [_short(row.get("seconds")) for row in rows],
        "reference": references,
        "ops": {},
        "heard": {},
    }
    for name in systems:
        raw = (row["systems"][name][PIPELINE] for row in rows)
        texts = (_units(normalise(text, recipe.metric, recipe.language), characters) for text in raw)
        pairs = [align(reference, text) for reference, text in zip(references, texts, strict=True)]
        columns["ops"][name], columns["heard"][name] = [ops for ops, _ in pairs], [words for _, words in pairs]
    return columns


def _as_written(rows: Sequence[Any], systems: Sequence[str]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row.get("facts") or {} if name != "duration")
    return {
        "transcript": [row["transcript"] for row in rows],
        "hypothesis": {name: [row["systems"][name][PIPELINE] for row in rows] for name in systems},
        "facts": {name: [_short((row.get("facts") or {}).get(name)) for row in rows] for name in names},
    }


def _taken(columns: Mapping[str, Any], kept: Sequence[int]) -> dict[str, Any]:
    return {
        name: _taken(column, kept) if isinstance(column, Mapping) else [column[n] for n in kept]
        for name, column in columns.items()
    }


def _fitting(columns: Mapping[str, Any], ranking: Sequence[int], room: int) -> Sequence[int]:
    """The first of the ranking that have room together; they are longer than others, as long ones have more errors."""
    if len(_json(columns).encode()) <= room:
        return ranking
    frame = len(_json(_taken(columns, [])).encode())
    commas = len(columns) + sum(len(column) for column in columns.values() if isinstance(column, Mapping))
    room -= frame
    for place, n in enumerate(ranking):
        room -= len(_json(_taken(columns, [n])).encode()) - frame + commas
        if room < 0:
            return ranking[:place]
    return ranking


def _recordings(folder: Path, ranked: Sequence[tuple[str, str]], most: int) -> list[tuple[str, Path]]:
    """Id and file of the worst clips whose recordings the run kept. ranked: (id, name in the run's index)."""
    index = folder / run.AUDIO / "index.json"
    files = run.read_json(index) if most > 0 and index.exists() else {}
    # only the name: an index says nothing about files elsewhere
    paths = [(shown, folder / run.AUDIO / Path(str(files[name])).name) for shown, name in ranked if name in files]
    return [(name, path) for name, path in paths if path.suffix.lower() in TYPES and path.is_file()][:most]


def _unspaced(references: Sequence[str]) -> bool:
    """Whether most letters are of a script without spaces between words, where a word error says little."""
    letters = [char for text in references[:1000] for char in text[:100] if char.isalpha()]
    found = sum(unicodedata.name(char, "").partition(" ")[0] in UNSPACED for char in letters)
    return found > len(letters) / 2


def _units(text: str, characters: bool) -> str:
    """Words with one space between them; of an unspaced script characters, each with its marks."""
    if not characters:
        return " ".join(text.split())
    found: list[str] = []
    for char in "".join(text.split()):
        if found and unicodedata.category(char)[0] == "M":
            found[-1] += char
        else:
            found.append(char)
    return " ".join(found)


def _short(value: Any) -> Any:
    """Numbers to four digits; what JSON has no number for becomes null."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(f"{value:.4g}") if is_number(value) else None
    return value if value is None else str(value)


def _json(value: Any) -> str:
    """JSON that no HTML or script parser can take for anything else, whatever the transcripts hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    # half a surrogate pair is no text: UTF-8 cannot hold it
    return text.encode("utf-8", "replace").decode("utf-8")
