"""The YAML at the top of a model card, and .eval_results/*.yaml, in the Hub's own words.

Formats: modelcard.md and docs/hub/eval-results.md of huggingface/hub-docs (August 2026), written by
huggingface_hub's own classes.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCardData, eval_result_entries_to_yaml

from hf_asr.publish.facts import FINE_TUNED, Facts, read, tested_on
from hf_asr.publish.markdown import is_number, one_line
from hf_asr.publish.rules import LICENCES, TASK, is_language
from hf_asr.recipe import Source

COMMIT = re.compile(r"[0-9a-f]{40}")
OTHER_CODES = {"jw": "jv", "iw": "he", "in": "id"}  # Whisper's Javanese; codes that ISO 639 withdrew
LOCAL = "audiofolder"  # what datasets, and the Trainer's own cards, call a folder of recordings


def metadata(facts: Facts) -> ModelCardData:
    """Everything the Hub files a model under. What is not known is left out."""
    spoken, variety = language(facts.recipe.language)
    more: dict[str, Any] = {**licence(facts.recipe.licence)}
    if variety is not None:
        more["language_bcp47"] = [variety]
    if facts.base is not None:
        more["base_model_relation"] = "finetune"  # LoRA is merged when saved: the weights are whole
    return ModelCardData(
        language=[spoken] if spoken else None,
        library_name="transformers",
        pipeline_tag=TASK,
        base_model=facts.base,
        datasets=trained_on(facts) or None,
        metrics=["wer", "cer"],
        tags=_tags(facts),
        model_name=facts.name,
        eval_results=list(_results(facts)),
        **more,
    )


def front(facts: Facts) -> str:
    """The metadata as a card begins with them."""
    return f"---\n{metadata(facts).to_yaml()}\n---"


def language(code: str | None) -> tuple[str | None, str | None]:
    """(code of ISO 639, code with region or script where there is one); None for what the Hub would refuse.

    pt-BR is pt and pt-BR: the Hub files by ISO 639 and takes the longer code under `language_bcp47`.
    """
    if not code:
        return None, None
    first, *rest = re.split("[-_]", code.strip())
    spoken = OTHER_CODES.get(first.lower(), first.lower())
    if not is_language(spoken):
        return None, None
    parts = "-".join([spoken, *rest])
    return spoken, parts if rest and re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})+", parts) else None


def licence(given: str | None) -> dict[str, str]:
    """license, or `other` with a name (and link) for what is not on the Hub's list; nothing where none was named."""
    if not given or not given.strip():
        return {}
    known = given.strip().lower()
    if known in LICENCES:
        return {"license": known} if known != "other" else {"license": known, "license_name": "not-named"}
    address = re.search(r"https?://[^\s\"'<>]+", given)
    words = given.replace(address[0], "") if address else given
    name = re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-.")[:80]
    found = {"license": "other", "license_name": name or "see-link"}
    return found | ({"license_link": address[0]} if address else {})


def trained_on(facts: Facts) -> list[str]:
    """Hub datasets with clips in training."""
    replay = facts.recipe.training.replay
    used = [source for source in facts.recipe.data.sources if source.use in ("train", "split")]
    used += replay.sources if replay else ()
    return list(dict.fromkeys(source.path for source in used if source.path in facts.hub))


def eval_results(folder: Path, task: str | None = None) -> dict[str, str]:
    """.eval_results/NAME.yaml by path; nothing unless the test side is one split of one Hub dataset, whole.

    The Hub shows such a figure where the dataset is registered as a benchmark; `task` is the id in that dataset's
    eval.yaml, which no run can know (default: the configuration, else `default`). WER in percent.
    """
    facts = read(folder)
    found = [source for source in tested_on(facts) if source.path in facts.hub]
    if len(tested_on(facts)) != 1 or not found or not _whole(facts, found[0]):
        return {}
    source = found[0]
    entry = EvalResultEntry(
        dataset_id=source.path,
        task_id=task or source.config or "default",
        value=_percent(facts.this["wer"]),
        dataset_revision=source.revision if source.revision and COMMIT.fullmatch(source.revision) else None,
        notes=one_line(f"WER in percent; both sides normalised: {facts.results['normaliser']}; hf-asr", 200),
    )
    name = re.sub(r"[^a-z0-9]+", "-", source.path.lower()).strip("-")
    text = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True)
    return {f".eval_results/{name}.yaml": text}


def _whole(facts: Facts, source: Source) -> bool:
    """Whether every clip of a test split was read. Which source a clip left out came from is not told: any counts.

    A figure without the longest clips, say, is not that of the split.
    """
    reasons = facts.data.get("left_out_by_reason") or {}
    all_there = all(reason.startswith("transcript also in") for reason in reasons)
    return source.use == "test" and source.hours is None and all_there


def _tags(facts: Facts) -> list[str]:
    kind = facts.model_type or ("whisper" if facts.whisper else None)
    tags = ["hf-asr", "audio", "speech", *([kind] if kind else []), *([] if facts.whisper else ["ctc"])]
    return [*tags, *(["from-scratch"] if facts.from_scratch else [])]


def _results(facts: Facts) -> Iterator[EvalResult]:
    """WER and CER of this model by the plain pipeline: on its test side, then on guards that are Hub datasets."""
    tested = tested_on(facts)
    one = tested[0] if len(tested) == 1 else None
    names = dict.fromkeys(_named(facts, source) for source in tested)
    whole = one is not None and _whole(facts, one)
    yield from _measured(facts, facts.this, " and ".join(names), one, whole)
    # a model-index tells datasets apart by their ids alone: a second local folder would join the first
    taken = {source.path for source in tested}
    told = facts.results.get("guards") or ()
    rows = {guard["name"]: guard.get("systems", {}).get(FINE_TUNED) for guard in told}
    partial = {guard["name"] for guard in told if guard.get("left_out")}
    for guard in facts.recipe.guards:
        source, row = guard.source, rows.get(guard.name)
        if row and source.path in facts.hub and source.path not in taken:
            taken.add(source.path)
            yield from _measured(facts, row, source.path, source, source.hours is None and guard.name not in partial)


def _measured(
    facts: Facts, row: Mapping[str, Any], name: str, source: Source | None, whole: bool
) -> Iterator[EvalResult]:
    hub = source if source is not None and source.path in facts.hub else None
    for metric in ("wer", "cer"):
        interval = [_percent(row.get(f"{metric}_{end}")) for end in ("low", "high")]
        yield EvalResult(
            task_type=TASK,
            task_name="Speech recognition",
            dataset_type=hub.path if hub else LOCAL,
            dataset_name=name,
            dataset_config=hub.config if hub else None,
            dataset_split=hub.split if hub and whole else None,
            dataset_revision=hub.revision if hub else None,
            metric_type=metric,
            metric_name=f"Test {metric.upper()} (%)",
            metric_value=_percent(row[metric]),
            metric_args={"normaliser": one_line(facts.results["normaliser"], 200), "interval_95": interval},
        )


def _named(facts: Facts, source: Source) -> str:
    name = one_line(facts.public_name(source))
    return name if source.use == "test" else f"{name}, held out"


def _percent(share: Any) -> float | None:
    return round(100 * float(share), 2) if is_number(share) else None
