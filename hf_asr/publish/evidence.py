"""The figures of a card: results, what they are compared with, and where the model fails. All from results.json."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_asr.publish.facts import BASELINE, FINE_TUNED, OWN, PIPELINE, ZERO_SHOT, Facts
from hf_asr.publish.markdown import (
    NONE,
    chance,
    code,
    count,
    folded,
    hours,
    interval,
    is_number,
    listed,
    percent,
    plain,
    points,
    table,
)

KNOWN = ("duration", "speaker", "speech rate", "loudness", "signal-to-noise", "words unseen in training")
SHOWN = 10  # rows of a table of confusions, and slices of a kind
NAMES = {ZERO_SHOT: "before fine-tuning", FINE_TUNED: "this model", BASELINE: "from random weights"}
OTHERS = {ZERO_SHOT: "the checkpoint before fine-tuning", BASELINE: "the network from random weights"}
READ = {PIPELINE: "as `pipeline()` has it", OWN: "not padded to 30 s"}  # ways a clip is given to Whisper


def results(facts: Facts) -> str:
    """The table, how it was counted, the comparisons in words, and whether pipeline() says the same."""
    row = facts.this
    beams = facts.results.get("decoding", {}).get("beams", 1) if facts.whisper else 1  # CTC is read greedily
    more = f" ({row['empty_references']} of them without words)" if row.get("empty_references") else ""
    caption = (
        f"Test side: {count(row['utterances'], 'clip')}{more}, {count(row['words'], 'word')}."
        f" Both texts were normalised before they were compared: {code(facts.results['normaliser'], 200)}."
        f" {'Beam width ' + str(beams) if beams != 1 else 'Greedy decoding'}. Intervals are of 95 % (bootstrap over"
        f" {row.get('resampled', 'utterances')}); errors are substituted + deleted + inserted words."
    )
    parts = [_systems(facts), caption, _costs(facts), listed([*_comparisons(facts), *_parity(facts), *_speed(facts)])]
    if facts.results.get("guards"):
        parts += ["### Other speech: what it kept and what it forgot", guards(facts)]
    return "\n\n".join(part for part in parts if part)


def _systems(facts: Facts) -> str:
    several = any(OWN in system["contexts"] for system in facts.systems.values())
    head = ["", *(["audio"] if several else []), "WER", "95 %", "CER", "95 %", "word errors", "parameters"]
    rows = []
    for name, system in facts.systems.items():
        for context, row in system["contexts"].items():
            bold = "**" if name == FINE_TUNED and context == PIPELINE else ""
            cells = [f"{bold}{NAMES.get(name) or plain(name)}{bold}"]
            cells += [READ.get(context) or plain(context)] if several else []
            cells += [f"{bold}{percent(row['wer'])}{bold}", interval(row["wer_low"], row["wer_high"])]
            cells += [percent(row["cer"]), interval(row["cer_low"], row["cer_high"])]
            cells.append(" + ".join(f"{row[kind]:,}" for kind in ("substitutions", "deletions", "insertions")))
            rows.append([*cells, f"{system['parameters'] / 1e6:.1f} M" if system.get("parameters") else NONE])
    return table(head, rows, words=2 if several else 1)


def _costs(facts: Facts) -> str:
    """What each system took: its size, what it learned from and for how long, and how fast it is."""
    rows = []
    for name, system in facts.systems.items():
        factor, learned = system["contexts"].get(PIPELINE, {}).get("real_time_factor"), system.get("train_hours")
        cells = [NAMES.get(name) or plain(name), f"{system['bytes'] / 1e6:,.1f} MB" if system.get("bytes") else NONE]
        cells += [hours(learned), f"{system['train_minutes']:.1f} min"] if learned else [NONE, NONE]
        rows.append([*cells, f"{factor:.3f}" if is_number(factor) else NONE])
    return table(["", "weights", "learned from", "training", "real-time factor"], rows)


def _comparisons(facts: Facts) -> Iterator[str]:
    for found in facts.results.get("comparisons") or ():
        if found["system"] == FINE_TUNED and found["against"] in facts.systems:
            yield compared(facts, found)
    if ZERO_SHOT not in facts.systems:
        if facts.from_scratch:
            yield "There is no figure from before training: the network began from random weights."
        else:
            yield "There is no figure from before fine-tuning: the checkpoint had no head that writes text."
    if BASELINE not in facts.systems and not facts.from_scratch:
        yield "No network was trained from random weights to compare with."


def compared(facts: Facts, found: Mapping[str, Any]) -> str:
    """e.g. **Better** than the checkpoint before fine-tuning: 7.5 % → 2.4 %, −5.1 points WER (95 % interval ...)."""
    against, context = found["against"], found["context"]
    before, after = (facts.systems[name]["contexts"].get(context, {}) for name in (against, FINE_TUNED))
    words = {"better": "**Better** than", "worse": "**Worse** than"}
    said = words.get(found["verdict"], "**No evidence of a difference** from")
    where = f" ({READ[context]})" if context == OWN else ""
    return (
        f"{said} {OTHERS.get(against) or plain(against)}{where}: {percent(before.get('wer'))} →"
        f" {percent(after.get('wer'))}, {measured(found)}."
    )


def measured(found: Mapping[str, Any]) -> str:
    """The difference with its interval and the chance of it."""
    pairs = found.get("matched_pairs_p")
    second = f"; matched pairs, {chance(pairs)}" if is_number(pairs) else ""
    unit = f" over {found['resampled']}" if found.get("resampled") else ""
    low, high = points(found["low"]), points(found["high"])
    return (
        f"{points(found['difference'])} points WER"
        f" (95 % interval {low} to {high}; paired bootstrap{unit}, {chance(found['p_value'])}{second})"
    )


def _parity(facts: Facts) -> Iterator[str]:
    same = facts.results.get("parity")
    if not same or not same.get("clips"):
        return
    if same["equal"] == same["clips"] and same.get("what", "text") != "text":
        yield (
            f"**Checked:** the model's units are phonemes, and a plain `pipeline()` writes these. Read through the"
            f" lexicon in `tokenizer_config.json` they gave word for word the text that was counted here, on all"
            f" {same['clips']} clips it was asked."
        )
    elif same["equal"] == same["clips"]:
        yield (
            f"**Checked:** a plain `pipeline()` on the saved model gave letter for letter the text that was"
            f" counted here, on all {same['clips']} clips it was asked."
        )
    else:
        yield (
            f"**A plain `pipeline()` does not always say the same:** it gave the text that was counted here on"
            f" {same['equal']} of {same['clips']} clips."
        )


def _speed(facts: Facts) -> Iterator[str]:
    if is_number(facts.this.get("real_time_factor")):
        yield "Real-time factor: seconds to recognise a second of speech, on the hardware below."
    if facts.this.get("unreadable"):
        yield (
            f"{count(len(facts.this['unreadable']), 'test recording')} could not be read; nothing was recognised"
            " there, which counts as deletions."
        )


def guards(facts: Facts) -> str:
    """Other speech, measured before and after: what fine-tuning made the model forget."""
    rows, told = [], []
    for guard in facts.results["guards"]:
        systems = guard.get("systems", {})
        before, after = systems.get(ZERO_SHOT), systems.get(FINE_TUNED, {})
        cells = [code(guard["name"]), f"{guard.get('clips', 0):,}", percent((before or {}).get("wer"))]
        rows.append([*cells, percent(after.get("wer")), interval(after.get("wer_low"), after.get("wer_high"))])
        if found := guard.get("comparison"):
            words = {"worse": "**forgotten in part**", "better": "better than before"}
            said = words.get(found["verdict"], "no evidence of a difference")
            told.append(f"{code(guard['name'])}: {said}, {measured(found)}.")
    lead = "Other speech, never trained on, measured before and after:"
    head = ["speech", "clips", "WER before", "WER after", "95 %"]
    return "\n\n".join([lead, table(head, rows), listed(told)]).strip()


def failures(facts: Facts) -> str | None:
    """Confusions, inventions, times and slices; None where nothing of it was measured."""
    parts = [part for part in (_confusions(facts), _inventions(facts), _slices(facts)) if part]
    return "\n\n".join(parts) or None


def _confusions(facts: Facts) -> str | None:
    rows = sorted(facts.results.get("confusions") or (), key=lambda row: -row["count"])[:SHOWN]
    if not rows:
        return None
    cells = [[_word(row["reference"]), _word(row["hypothesis"]), f"{row['count']:,}"] for row in rows]
    return "Most frequent word errors on the test side:\n\n" + table(["said", "recognised", "times"], cells, words=2)


def _word(text: str) -> str:
    return code(text, 40) if text else "(nothing)"


def _inventions(facts: Facts) -> str:
    """Words where nobody speaks, and times that cannot be."""
    parts = []
    probes = facts.results.get("probes") or ()
    if probes:
        names = [name for name in facts.systems if any(name in probe["systems"] for probe in probes)]
        rows = []
        for probe in probes:
            found = [probe["systems"].get(name) for name in names]
            told = [f"{row['spoke']} ({count(row['words'], 'word')})" if row else NONE for row in found]
            rows.append([plain(probe["probe"]), f"{probe['clips']:,}", *told])
        head = ["", "clips", *(NAMES.get(name) or plain(name) for name in names)]
        parts.append(f"Clips without speech in which words were recognised all the same:\n\n{table(head, rows)}")
    stamps = []
    for name, row in (facts.results.get("timestamps") or {}).items():
        wrong = sorted({str(why) for _, why in row.get("problems") or ()})
        why = f" (others: {', '.join(map(plain, wrong))})" if wrong else ""
        stamps.append(f"{NAMES.get(name) or plain(name)}: {row['valid']} of {count(row['clips'], 'clip')}{why}")
    if stamps:
        parts.append(f"Timestamps that are possible: {'; '.join(stamps)}.")
    return "\n\n".join(parts)


def _slices(facts: Facts) -> str | None:
    rows = facts.results.get("slices") or ()
    kinds = dict.fromkeys(row["by"] for row in rows)
    tables = [_kind(facts, kind, [row for row in rows if row["by"] == kind]) for kind in kinds]
    return folded("WER by kind of clip", "\n\n".join(tables)) if tables else None


def _kind(facts: Facts, kind: str, rows: Sequence[Mapping[str, Any]]) -> str:
    measured = {name for row in rows for name in row["systems"]}
    names = [name for name in (ZERO_SHOT, BASELINE, FINE_TUNED) if name in measured]  # its own beside its interval
    title = f"**By {kind if kind in KNOWN else code(kind)}**"
    if len(rows) > SHOWN:
        rows = sorted(rows, key=lambda row: -(row["systems"].get(FINE_TUNED, {}).get("wer") or 0))[:SHOWN]
        title += f", the {SHOWN} with the highest WER"
    head = ["WER", "clips", "words", *(NAMES.get(name) or plain(name) for name in names), "95 %"]
    cells = []
    for row in rows:
        own = row["systems"].get(FINE_TUNED, {})
        wers = [percent(row["systems"].get(name, {}).get("wer")) for name in names]
        named = plain(row["slice"]) if kind in KNOWN else code(row["slice"])
        cells.append([named, f"{row['clips']:,}", f"{row['words']:,}", *wers])
        cells[-1].append(interval(own.get("wer_low"), own.get("wer_high")))
    return f"{title}\n\n{table(head, cells)}"


def hard_slices(facts: Facts) -> Iterator[str]:
    """Kinds of clips whose whole interval lies above the WER of all clips."""
    overall = facts.this["wer"]
    for row in facts.results.get("slices") or ():
        own = row["systems"].get(FINE_TUNED, {})
        if is_number(own.get("wer_low")) and own["wer_low"] > overall:
            kind = row["by"] if row["by"] in KNOWN else code(row["by"])
            named = plain(row["slice"]) if row["by"] in KNOWN else code(row["slice"])
            span = interval(own["wer_low"], own.get("wer_high"))
            yield f"{kind} {named}: {percent(own['wer'])} ({span}; {count(row['words'], 'word')})"
