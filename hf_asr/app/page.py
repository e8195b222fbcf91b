"""The page's own HTML. All that comes from outside (transcripts, file names, model names) is escaped here."""

from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from html import escape
from typing import Any

from hf_asr import recipe
from hf_asr.app.systems import Exhibit, System
from hf_asr.decoding.hypothesis import ScoredWord
from hf_asr.decoding.words import Reading
from hf_asr.evaluation.results import FINE_TUNED
from hf_asr.text.normalise import normalise

LEGEND = (
    "The number under a word is the model's own confidence in it, in %; the deeper the shade, the less sure."
    " It ranks words and is not calibrated."
)
DOTTED = " A dotted line marks where a model differs from fine-tuned."
WAITING = "Its transcript will stand here."
LIVE = """
<div class="asr-mic"><button type="button" aria-pressed="false">Record</button>
<span class="asr-level"><i></i></span><span class="asr-clock">0:00</span></div>
<div class="asr-live"><p class="asr-quiet">Press record and speak. What is still grey may change; at the end the whole
is read once more. Only the fine-tuned model listens here.</p></div><div class="asr-whole"></div>
"""
KEPT = (
    '<p class="asr-quiet">Recordings go to the computer that serves this page and to no other;'
    " they are deleted within two hours, or when it stops.</p>"
)

MOSTLY = 0.6  # share of differing words beyond which marking them shows nothing


def header(exhibit: Exhibit) -> str:
    """Name, origin, and the word error rates of the run."""
    facts = [exhibit.trained_on, exhibit.verdict]
    about = "".join(f"<p>{escape(fact[:1].upper() + fact[1:])}.</p>" for fact in facts if fact)
    return f'<div class="asr-head"><h1>{escape(exhibit.title)}</h1>{about}{scores(exhibit)}</div>'


def scores(exhibit: Exhibit) -> str:
    """Word error rates with their intervals, a line a system, on one scale."""
    known = [(system, system.score) for system in exhibit.systems if system.score]
    if not known:
        return '<p class="asr-quiet">Its word error rate is not known here: this is a model without its run folder.</p>'
    top = max(0.01, *(min(1.0, row["wer_high"]) for _, row in known))
    lines = "".join(_score(system.name, row, top) for system, row in known)
    row = known[0][1]
    tested = f"{row['utterances']} test clips, {row['words']:,} words, with 95 % intervals; {exhibit.normaliser}"
    return f'<div class="asr-scores">{lines}</div><p class="asr-quiet">Word error rate on {escape(tested)}.</p>'


def _score(name: str, row: Mapping[str, Any], top: float) -> str:
    low, high, at = (min(100.0, 100 * min(1.0, row[key]) / top) for key in ("wer_low", "wer_high", "wer"))
    return (
        f"<span>{escape(name)}</span><span><strong>{percent(row['wer'])}</strong>"
        f"<small>{100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f}</small></span>"
        f'<span class="asr-track"><i style="left:{low:.1f}%;width:{max(high - low, 0.5):.1f}%"></i>'
        f'<b style="left:{at:.1f}%"></b></span>'
    )


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def cards(exhibit: Exhibit, readings: Mapping[str, tuple[Reading, float]], waiting: bool = False) -> str:
    """A card a system, side by side; `readings`: what it read and the seconds it took, by system."""
    ours = readings[FINE_TUNED][0] if FINE_TUNED in readings else None
    body = "".join(_card(exhibit, system, readings.get(system.name), ours, waiting) for system in exhibit.systems)
    legend = f'<p class="asr-quiet">{LEGEND}{DOTTED if len(readings) > 1 else ""}</p>' if readings else ""
    return f'<div class="asr-cards">{body}</div>{legend}'


def _card(
    exhibit: Exhibit, system: System, found: tuple[Reading, float] | None, ours: Reading | None, waiting: bool
) -> str:
    score = f"WER {percent(system.score['wer'])}" if system.score else ""
    top = (
        f'<header><h3>{escape(system.name)}</h3><span class="asr-wer">{score}</span>'
        f'<span class="asr-model">{escape(system.model)}</span></header>'
    )
    kind = f'class="asr-card" data-system="{escape(system.name)}"'
    if system.missing:
        return f'<article {kind}>{top}<p class="asr-quiet">Not loaded: {escape(system.missing)}.</p></article>'
    if found is None:
        return f'<article {kind}>{top}<p class="asr-quiet">{"reading …" if waiting else WAITING}</p></article>'
    reading, took = found
    other = differing(reading, ours, exhibit) if ours is not None and reading is not ours else ()
    text = words(reading, other) or '<span class="asr-quiet">(nothing was heard)</span>'
    lang = f' lang="{escape(exhibit.language)}"' if exhibit.language else ""
    return (
        f'<article {kind}>{top}<p class="asr-text"{lang} dir="auto">{text}</p>'
        f'<p class="asr-quiet">read in {took:.1f} s</p>{times(reading.words)}</article>'
    )


def words(reading: Reading, marked: Collection[int] = ()) -> str:
    """The text, each word shaded by its confidence; the numbers are no part of it when it is copied."""
    parts, position = [], 0
    for number, word in enumerate(reading.words):
        at = reading.text.find(word.text, position)
        if at < 0:
            continue
        parts.append(escape(reading.text[position:at]))
        told = f"{word.start:.2f} to {word.end:.2f} s, confidence {word.confidence:.2f} (lowest {word.lowest:.2f})"
        differs = " asr-differs" if number in marked else ""
        parts.append(
            f'<span class="asr-word{differs}" style="--doubt:{100 * (1 - word.confidence):.0f}%"'
            f' data-percent="{100 * word.confidence:.0f}" title="{told}">{escape(word.text)}</span>'
        )
        position = at + len(word.text)
    return "".join(parts) + escape(reading.text[position:])


def times(spoken: Sequence[ScoredWord]) -> str:
    if not spoken:
        return ""
    rows = "".join(
        f"<tr><td>{escape(word.text)}</td><td>{word.start:.2f}</td><td>{word.end:.2f}</td>"
        f"<td>{word.confidence:.2f}</td><td>{word.lowest:.2f}</td></tr>"
        for word in spoken
    )
    head = "<tr><th>word</th><th>from</th><th>to (s)</th><th>confidence</th><th>lowest</th></tr>"
    return f"<details><summary>Words and times</summary><table>{head}{rows}</table></details>"


def differing(reading: Reading, ours: Reading, exhibit: Exhibit) -> set[int]:
    """Numbers of the words that are not those of `ours`, compared as the metric compares; none when most differ."""
    a, b = (_plain(found, exhibit.metric, exhibit.language) for found in (ours, reading))
    matcher = SequenceMatcher(None, [text for _, text in a], [text for _, text in b], autojunk=False)
    unequal = (code[3:] for code in matcher.get_opcodes() if code[0] != "equal")
    found = {b[at][0] for begin, end in unequal for at in range(begin, end)}
    return found if len(found) <= MOSTLY * len(b) else set()


def _plain(reading: Reading, metric: recipe.Text, language: str | None) -> list[tuple[int, str]]:
    """(number, normalised word), without those of which nothing is left."""
    texts = ((number, normalise(word.text, metric, language)) for number, word in enumerate(reading.words))
    return [(number, text) for number, text in texts if text]


def live(settled: str, open_text: str, seconds: float) -> str:
    """Text that will not change any more, text that may, and where it stands; live.js fills in how late it came."""
    space = " " if settled and open_text else ""
    return (
        f'<p class="asr-text" dir="auto" aria-live="polite">{escape(settled)}{space}<em>{escape(open_text)}</em></p>'
        f'<p class="asr-quiet">{seconds:.1f} s heard; text <span class="asr-late">…</span> s after the sound</p>'
    )


def table(rows: Sequence[Mapping[str, Any]], names: Sequence[str], total: int) -> str:
    """Transcripts of many files; what could not be read stands in its row."""
    if not rows and not total:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(_row(row, names) for row in rows)
    bad = sum("error" in row for row in rows)
    told = f"{len(rows)} of {total} files" + (f", {bad} could not be read" if bad else "")
    return (
        f'<p class="asr-quiet" role="status">{told}</p><div class="asr-wide"><table class="asr-table">'
        f"<thead><tr><th>file</th><th>seconds</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: Mapping[str, Any], names: Sequence[str]) -> str:
    file = f"<td>{escape(row['file'])}</td>"
    if "error" in row:
        return f'<tr class="asr-bad">{file}<td></td><td colspan="{len(names)}">{escape(row["error"])}</td></tr>'
    texts = "".join(f'<td dir="auto">{escape(row.get(name, ""))}</td>' for name in names)
    return f"<tr>{file}<td>{row['seconds']:.1f}</td>{texts}</tr>"


def problem(message: str) -> str:
    return f'<div class="asr-problem" role="alert">{escape(message)}</div>'
