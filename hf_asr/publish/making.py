"""How a model came about: data, procedure, time and energy, and the command that repeats it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hf_asr.publish.citation import links
from hf_asr.publish.energy import estimate
from hf_asr.publish.facts import EMBEDDED_NAMES, Facts
from hf_asr.publish.markdown import (
    code,
    count,
    fenced,
    folded,
    hours,
    is_number,
    link,
    listed,
    percent,
    plain,
    table,
)
from hf_asr.publish.public import EMBEDDED, local_places
from hf_asr.recipe import Recipe, Source
from hf_asr.recipe.file import dump

USES = {"train": "training only", "validation": "validation only", "test": "test only"}
OPTIMISERS = {"adamw": "AdamW", "muon": "Muon on matrices, AdamW on the rest"}
LOOKS = 12  # rows of the table of looks at validation


def data(facts: Facts) -> str:
    """Where clips come from, how many are on each side, and what was left out and why."""
    told = facts.data
    rows = [[side, f"{row['clips']:,}", hours(row["hours"]), _speakers(row)] for side, row in told["sides"].items()]
    used = sum(row["hours"] for row in told["sides"].values())
    parts = [
        listed(f"{_source(facts, source)}{_use(source)}" for source in facts.recipe.data.sources),
        table(["side", "clips", "audio", "speakers"], rows),
        f"{hours(used)} of {hours(told['given_hours'])} given were used. {_division(facts.recipe)}",
        _left_out(facts),
        listed(f"Mind: {plain(warning)}" for warning in told.get("warnings") or ()),
    ]
    replay = facts.recipe.training.replay
    if replay is not None:
        old, found = ", ".join(_source(facts, source) for source in replay.sources), told.get("replay") or {}
        share = percent(found.get("share_of_epoch", replay.share))
        size = f", {count(found['clips'], 'clip')} ({hours(found['hours'])})" if found else ""
        parts.append(f"Part of train is old data against forgetting, {share} of an epoch{size}: {old}.")
    return "\n\n".join(part for part in parts if part)


def _source(facts: Facts, source: Source) -> str:
    if source.path in facts.hub:
        words = (("configuration", source.config), ("split", source.split), ("revision", source.revision))
        details = [f"{word} {code(value)}" for word, value in words if value]
        name = link(source.path, "datasets/")
    elif source.path.startswith(EMBEDDED):
        details, name = [], f"{EMBEDDED_NAMES.get(source.path.removeprefix(EMBEDDED), '')} (part of the package hf-asr)"
    else:
        details, name = [], f"recordings that are not public, {code(facts.public_name(source))}"
    if source.hours is not None:
        details.append(f"the first {hours(source.hours)}")
    return name + (f", {', '.join(details)}" if details else "")


def _use(source: Source) -> str:
    weight = f", {source.weight:g} times an epoch" if source.weight != 1 else ""
    return f" ({USES[source.use]}{weight})" if source.use in USES else f"{weight}"


def _division(recipe: Recipe) -> str:
    splits = recipe.data.splits
    if all(source.use != "split" for source in recipe.data.sources):
        return "Which clips are on which side is the sources' own division."
    by = {"auto": "group, speaker or transcript (the first of them that the data allow)"}.get(splits.by, splits.by)
    return f"Clips were divided at random (seed {splits.seed}) so that no {by} is on two sides."


def _speakers(side: Mapping[str, Any]) -> str:
    if not side["speakers"]:
        return "not named"
    return f"{side['speakers']}" + (f", and {side['unnamed']:,} clips name none" if side.get("unnamed") else "")


def _left_out(facts: Facts) -> str:
    rows = facts.data.get("left_out_by_reason") or {}
    if not rows:
        return "No clip was left out."
    cells = [[plain(reason), f"{row['clips']:,}", hours(row["hours"])] for reason, row in rows.items()]
    total = sum(row["clips"] for row in rows.values())
    lead = f"Left out: {count(total, 'clip')} of {facts.data['given']:,}."
    return f"{lead}\n\n{table(['reason', 'clips', 'audio'], cells)}"


def procedure(facts: Facts) -> str:
    """What was trained and how, the looks at validation, and the recipe."""
    trained, recipe = facts.results["training"], facts.recipe
    best = trained.get("best_step")
    kept = f", of which step {best:,} had the best WER on validation and was kept" if best else ""
    unread = trained.get("unreadable") or ()
    lines = [
        f"Began from {plain(facts.systems['fine-tuned']['about'])}; {_method(facts)}: {trained['trainable']:,} of"
        f" {trained['parameters']:,} parameters were trained.",
        f"{count(trained['steps'], 'step')} of about {recipe.training.batch_seconds:g} s of audio"
        f" ({trained['epochs']:.1f} epochs){kept}.",
        f"{OPTIMISERS[recipe.training.optimizer]}, peak learning rate {recipe.training.learning_rate:g},"
        f" {recipe.training.schedule} schedule, warm-up {recipe.training.warmup:g},"
        f" weight decay {recipe.training.weight_decay:g}; {_precision(facts)}.",
        f"Augmentation: {', '.join(_augmentation(recipe)) or 'none'}.",
        *([f"{count(len(unread), 'training clip')} could not be read after all."] if unread else []),
        *([f"Methods: {links(facts)}."] if links(facts) else []),
    ]
    parts = [listed(lines), _looks(facts), folded("The whole recipe", fenced(dump(recipe), "yaml"))]
    return "\n\n".join(part for part in parts if part)


def _method(facts: Facts) -> str:
    model = facts.recipe.model
    if model.lora is not None:
        return f"LoRA of rank {model.lora.rank}, merged into the weights"
    return (
        f"frozen: {', '.join(part.replace('_', ' ') for part in model.freeze)}"
        if model.freeze
        else "nothing frozen by the recipe"
    )


def _precision(facts: Facts) -> str:
    return str(facts.results["training"].get("precision") or facts.recipe.training.precision)


def _augmentation(recipe: Recipe) -> Iterator[str]:
    augment = recipe.training.augment
    if augment.speed:
        yield f"speed {augment.speed[0]:g} to {augment.speed[1]:g}"
    if augment.gain_db:
        yield f"gain {augment.gain_db[0]:g} to {augment.gain_db[1]:g} dB"
    if augment.noise:
        yield f"noise at {augment.noise.snr_db[0]:g} to {augment.noise.snr_db[1]:g} dB"
    if augment.reverb:
        yield "reverberation"
    if augment.tilt_db:
        yield f"spectrum tilted by {augment.tilt_db[0]:g} to {augment.tilt_db[1]:g} dB an octave"
    if augment.telephone:
        yield "telephone band"
    if augment.spec_augment:
        yield "SpecAugment"


def _looks(facts: Facts) -> str | None:
    """Validation while training, thinned evenly; the first, the last and the best stay."""
    looks = [row for row in facts.log if is_number(row.get("eval_wer"))]
    if not looks:
        return None
    best = min(looks, key=lambda row: (row["eval_wer"], row.get("eval_cer", 0)))
    stride = max(1, -(-len(looks) // LOOKS))
    kept = [row for at, row in enumerate(looks) if at % stride == 0 or row is best or row is looks[-1]]
    losses = {row["step"]: row["loss"] for row in facts.log if is_number(row.get("loss"))}
    rows = [_look(row, losses, row is best) for row in kept]
    head = ["step", "epoch", "minutes", "training loss", "WER on validation", "CER"]
    return folded("Validation while training", table(head, rows))


def _look(row: dict[str, Any], losses: dict[int, float], best: bool) -> Sequence[str]:
    wer = percent(row["eval_wer"])
    loss = losses.get(row["step"])
    return (
        f"{row['step']:,}",
        f"{row.get('epoch', 0):.1f}",
        f"{row.get('minutes', 0):.1f}",
        "" if loss is None else f"{loss:.3f}",
        f"**{wer}**" if best else wer,
        percent(row.get("eval_cer")),
    )


def cost(facts: Facts) -> str:
    """Time and hardware as measured; electricity as estimated, with the formula."""
    environment, minutes = facts.environment, facts.results["training"]["minutes"]
    found = estimate(minutes, environment)
    device = environment.get("gpu") or environment.get("processor") or "an unnamed processor"
    busy = environment.get("processes") or 1
    on = f"{busy} × {plain(device)}" if environment.get("gpu") else f"{plain(device)}, {_cores(found.devices)}"
    memory = facts.results.get("peak_memory_bytes") or {}
    peak = ", ".join(f"{size / 2**30:.1f} GiB{' on the GPU' * (name == 'gpu')}" for name, size in memory.items())
    lines = [
        f"Training took {hours(minutes / 60)} on {on}" + (f"; peak memory {peak}." if peak else "."),
        f"Electricity, an estimate: {found.hours:.3g} h × {count(found.devices, found.device)} × {found.watts:g} W"
        f" = **{found.kwh:.2g} kWh**. Nothing was measured: the power is {found.source}. Memory, cooling, evaluation"
        " and trials before this run are not in it"
        " (method: [Green Algorithms](https://arxiv.org/abs/2007.07610)).",
        "CO₂ is not told: where the machine stood and what its electricity was made of is not known.",
    ]
    return listed(lines)


def _cores(number: int) -> str:
    return count(number, "busy core")


def reproduce(facts: Facts) -> str:
    """One command, what it needs, and what tells that it had the same data."""
    own = local_places(facts.recipe, facts.hub)
    words = ["hf-asr finetune recipe.yaml", *(f"--set {place}=FOLDER" for place in own)]
    names = " and ".join(code(name) for name in dict.fromkeys(own.values()))
    versions = facts.environment.get("versions", {})
    made = ", ".join(f"{plain(name)} {plain(version)}" for name, version in versions.items() if version)
    commit = facts.environment.get("commit")
    at = f" (commit {code(commit.rstrip('+'))}{', changed since' if commit.endswith('+') else ''})" if commit else ""
    parts = [
        "The recipe above, saved as `recipe.yaml`:",
        fenced(" ".join(words), "sh"),
        f"Here it was given {names}: what these are is known to their owner only." if own else "",
        f"Made with Python {plain(facts.environment.get('python', '?'))}, {made}{at}.",
        f"The same clips on the same sides give the checksum {code(facts.data['checksum'])} in `data.json`."
        if facts.data.get("checksum")
        else "",
    ]
    return "\n\n".join(part for part in parts if part)
