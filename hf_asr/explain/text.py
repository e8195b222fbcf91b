"""What `hf-asr explain` prints: the steps as text of at most 96 columns."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from textwrap import wrap

import numpy as np

from hf_asr.explain import ice_cream
from hf_asr.explain.pictures import loudness, powers
from hf_asr.explain.search import Change, Kept, Reading, Search
from hf_asr.explain.steps import Clip, Explained, Heard, Run, kept, runs, top
from hf_asr.explain.whisper import Written

WIDE = 84  # columns of a picture or a path
LISTED = 60  # rows of a table before it is cut short; the page has all
BARS, SHADES = " ▁▂▃▄▅▆▇█", " ░▒▓█"
BANDS = (0, 1, 2, 4, 8)  # kHz: rows of the spectrogram
AROUND = "the words around, and the end"
NEAR = 0.02  # candidates less probable are not named


def text(found: Explained) -> str:
    """A clip, step by step."""
    clip = found.clip
    head = f"{clip.name}: {clip.seconds:.2f} s, read by {found.model}"
    lines = [head, *_cut(clip), *_sound(clip)]
    if found.heard is not None:
        lines += _frames(found.heard, clip.seconds)
    elif found.written is not None:
        lines += _tokens(found.written)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def demonstration() -> str:
    """The built-in case: one sound, two readings."""
    lm = ice_cream.model()
    lines = ["One sound, two readings: did she say “I scream” or “ice cream”?", ""]
    lines += ["A language model was estimated from these ten sentences:", ""]
    half = len(ice_cream.SENTENCES) // 2
    pairs = zip(ice_cream.SENTENCES[:half], ice_cream.SENTENCES[half:], strict=True)
    lines += [f"  {left:<34}{right}" for left, right in pairs]
    lines += ["", "and this is how probable it finds the words ice and i:", "", "  after         p(ice)    p(i)"]
    lines += [f"  {history:<12} {ice:>7.3f} {i:>7.3f}" for history, ice, i in ice_cream.chances(lm)]
    first, second = (ice_cream.case(lm, before) for before in ice_cream.BEFORE)
    lines += ["", _rule(ice_cream.BEFORE[0]), *_frames(first, None)]
    assert second.search is not None
    lines += ["", _rule(ice_cream.BEFORE[1]), *_readings(second.search)]
    lines += ["", "The sound was the same. What the ear prefers by a little, the words before it can outweigh."]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _rule(before: str) -> str:
    return f"═══ The sound after “{before.strip()}” ".ljust(WIDE, "═")


def _title(number: int, title: str, about: str) -> list[str]:
    return ["", f"{number}  {title}", f"   {about}", ""]


def _cut(clip: Clip) -> list[str]:
    if clip.whole <= clip.seconds:
        return []
    return [f"Only the first {clip.seconds:g} s of {clip.whole:.1f} s are shown: cut the clip to see another part."]


def _sound(clip: Clip) -> Iterator[str]:
    bars = loudness(clip.samples, WIDE)
    peak = max(float(bars.max()), 1e-9)
    yield from _title(1, "Waveform", f"Air pressure, {len(clip.samples):,} numbers; the largest is {peak:.2f} of 1.")
    yield "   " + "".join(BARS[round(8 * bar / peak)] for bar in bars)
    yield _seconds(clip.seconds)
    yield from _title(2, "Spectrogram", "How loud each pitch is: rows of kHz, █ is within 15 dB of the loudest.")
    level = powers(clip.samples)  # dB [257 frequencies up to 8 kHz, frames]
    columns = np.array_split(np.arange(level.shape[1]), WIDE)
    for low, high in reversed(list(pairwise(BANDS))):
        rows = level[round(low * 32) : round(high * 32)]
        loud = [rows[:, own].max() if len(own) else -99 for own in columns]
        yield f" {low:>1} " + "".join(SHADES[int(np.clip(5 + one / 15, 0, 4))] for one in loud)
    yield _seconds(clip.seconds)


def _seconds(whole: float) -> str:
    line = [" "] * (WIDE + 10)
    for part in range(5):
        mark = f"{whole * part / 4:.2f}" + (" s" if part == 4 else "")
        at = 3 + round((WIDE - 1) * part / 4) - (len(mark) - 2 if part == 4 else 0)
        line[at : at + len(mark)] = mark
    return "".join(line)


def _frames(heard: Heard, seconds: float | None) -> Iterator[str]:
    """The steps of CTC; `seconds` of the clip, None for one that counts in frames."""
    frames, found = len(heard.frames), runs(heard.path, heard.frames)
    each = f" of {1000 * seconds / frames:.0f} ms" if seconds else ""
    yield from _title(
        3,
        "Frames",
        f"{frames} frames{each}; in each a probability for {len(heard.names)} units. Frames alike in a row:",
    )
    yield from _runs(heard, found, seconds)
    yield from _title(4, "Best path", "The best unit of each frame (· is blank); repeats are merged, blanks dropped.")
    yield from _path(heard, found)
    yield from _wrapped("   text    ", f"“{heard.text}”")
    if heard.search is None:
        yield from _title(5, "Beam search", f"Not here: {heard.without}.")
        return
    yield from _growth(heard.search, seconds)
    yield from _readings(heard.search)


def _runs(heard: Heard, found: Sequence[Run], seconds: float | None) -> Iterator[str]:
    per = seconds / len(heard.frames) if seconds else 1.0
    candidates = top(heard.frames)
    letters = kept(list(found), heard.blank)
    yield f"   {'seconds' if seconds else 'frames':<12} {'frames':>6}  {'best unit':<16} where it is surest, also"
    for run in letters[:LISTED]:
        surest = max(range(run.start, run.end), key=lambda at: heard.frames[at, run.unit])
        others = [(unit, p) for unit, p in candidates[surest] if unit != run.unit and p >= NEAR]
        also = "  ".join(f"{name(heard, unit)} {p:.0%}" for unit, p in others)
        when = f"{run.start * per:.2f}–{run.end * per:.2f}" if seconds else f"{run.start}–{run.end}"
        best = f"{name(heard, run.unit)} {run.posterior:.0%}"
        yield f"   {when:<12} {run.end - run.start:>6}  {best:<16} {also}"
    if len(letters) > LISTED:
        yield f"   … and {len(letters) - LISTED} more; the page (--output FILE.html) has all"
    if not letters:
        yield "   nothing but blanks"


def name(heard: Heard, unit: int) -> str:
    """A unit as people read it."""
    return "blank" if unit == heard.blank else "space |" if unit == heard.delimiter else heard.names[unit]


def _path(heard: Heard, found: Sequence[Run]) -> Iterator[str]:
    """Lines of frames, with the letter that is left under the first frame of its run."""
    cells = [max(1, len(heard.names[run.unit])) if run.unit != heard.blank else 1 for run in found]
    wide = max(cells, default=1)
    rows = ["", "", ""]
    for run in found:
        blank, length = run.unit == heard.blank, run.end - run.start
        mark = "·" if blank else heard.names[run.unit]
        rows[0] += f"{mark:<{wide}}" * length
        rows[1] += f"{mark:<{wide}}" + " " * wide * (length - 1)
        rows[2] += f"{'' if blank else mark:<{wide}}" + " " * wide * (length - 1)
    for at in range(0, len(rows[0]), WIDE // wide * wide):
        if at:
            yield ""
        for label, row in zip(("path", "merged", "dropped"), rows, strict=True):
            yield f"   {label:<8}{row[at : at + WIDE // wide * wide]}"
    yield ""


def _growth(search: Search, seconds: float | None) -> Iterator[str]:
    about = f"Of {search.weights.beam} beginnings that are followed, the best 3 after each tenth of the frames."
    yield from _title(5, "The beam grows", about)
    yield f"   {'after':<8} {'beginning':<34}" + _columns(search.lm)
    for at in tenths(len(search.growth)):
        after = f"{(at + 1) * seconds / len(search.growth):.2f} s" if seconds else f"{at + 1}"
        for rank, one in enumerate(search.growth[at][:3]):
            yield f"   {after if rank == 0 else '':<8} {_end(spelled(one, search), 34):<34}" + _scores(one, search.lm)
    if search.lm:
        yield "   log p: of the sound. model: alpha * log p(complete words). words: beta each."
        yield "   begun: what the word being written may add at best. All are natural logarithms."


def tenths(frames: int) -> list[int]:
    """The last frame of each tenth."""
    return sorted({max(0, round(frames * part / 10) - 1) for part in range(1, 11)})


def spelled(one: Kept, search: Search) -> str:
    """A beginning with | for the space at its end, which belongs to it; nothing is a dash."""
    written = search.alphabet.text(one.units)
    divided = bool(one.units) and one.units[-1] == search.alphabet.delimiter
    return (written + ("|" if divided else "")) or "–"


def _end(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[1 - width :]


def _columns(lm: bool) -> str:
    parts = ("log p", "model", "words", "begun", "sum") if lm else ("log p",)
    return "".join(f"{part:>9}" for part in parts)


def _scores(one: Kept, lm: bool) -> str:
    parts = (one.acoustic, one.lm, one.words, one.hope, one.score) if lm else (one.acoustic,)
    return "".join(f"{part:>9.2f}" for part in parts)


def _readings(search: Search) -> Iterator[str]:
    about = "What each way of reading ends with."
    if search.lm:
        weights = search.weights
        about = f"log p + {weights.alpha:g} * log p(words) + {weights.beta:g} * words, for what each way ends with."
    yield from _title(6, "Which text", about)
    yield f"   {'':<10} {'log p':>8} {'model':>8} {'words':>6} {'sum':>8}   text"
    for one in search.readings:
        yield from _reading(one)
    if search.lm and len(search.best) > 1:
        yield "   and the best texts of the search with the language model:"
        for one in search.best:
            yield from _reading(one)
    for change in search.changes:
        what = f"“{change.before}” became “{change.after}”" if change.before or change.after else AROUND
        yield from _wrapped("   ", f"{what}: {change.gain:+.2f} from the model, which finds that {times(change)}")
    if search.lm and not search.changes:
        yield "   The language model changed no word."
    if not search.lm:
        yield "   No language model here: --lm FOLDER adds one; `hf-asr explain` alone shows what one can change."


def times(change: Change) -> str:
    """How much more, or less, probable the language model finds what it put there."""
    ratio = float(f"{np.exp(min(700.0, abs(change.log_p))):.2g}")
    number = f"{ratio:,.0f}" if 10 <= ratio < 1e12 else f"{ratio:g}"
    return f"{number} times {'more' if change.log_p > 0 else 'less'} probable"


def _reading(one: Reading) -> Iterator[str]:
    parts = f"   {one.way:<10} {one.acoustic:>8.2f} {one.lm:>8.2f} {one.words:>6.2f} {one.score:>8.2f}   "
    yield from _wrapped(parts, one.text or "–")


def _wrapped(head: str, text: str) -> Iterator[str]:
    """A text beside its head, on as many lines as it takes."""
    for at, line in enumerate(wrap(text, WIDE + 12 - len(head))):
        yield (head if at == 0 else " " * len(head)) + line


def _tokens(written: Written) -> Iterator[str]:
    yield from _title(
        3, "Tokens", "Whisper writes piece by piece: each with its probability, and what else it might be."
    )
    if not written.tokens:
        yield "   nothing: Whisper wrote no text"
        return
    yield f"   {'seconds':<12} {'token':<18} {'p':>5}   candidates"
    for token in written.tokens[:LISTED]:
        others = "  ".join(f"{visible(text)} {p:.0%}" for text, p in token.best if text != token.text and p >= NEAR)
        yield f"   {token.start:>5.2f}–{token.end:<5.2f}  {visible(token.text):<18} {token.posterior:>5.0%}   {others}"
    if len(written.tokens) > LISTED:
        yield f"   … and {len(written.tokens) - LISTED} more; the page (--output FILE.html) has all"
    yield from _title(4, "Words", "Where its attention lay while it wrote: seconds, and the mean probability.")
    for word in written.words[:LISTED]:
        yield f"   {word.start:>5.2f}–{word.end:<5.2f}  {word.text:<18} {word.confidence:>5.0%}"
    yield ""
    yield from _wrapped("   text    ", f"“{written.text}”")


def visible(token: str) -> str:
    """A token with its space to be seen."""
    return token.replace(" ", "␣")
