"""The metadata of a card through huggingface_hub's own classes, and the rules of the Hub for them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from huggingface_hub.repocard import metadata_load

from hf_asr.publish.card import card
from hf_asr.publish.facts import read
from hf_asr.publish.metadata import eval_results, language, licence, metadata
from hf_asr.publish.rules import ISO_639_1, LICENCES, findings
from tests.hub import card_rules
from tests.publish import finished
from tests.publish.finished import RESULTS

COMMIT = "5503434ddd753f426f4b38109466949a1217c2bb"
COMMON_VOICE = [
    {"path": "mozilla-foundation/common_voice_17_0", "config": "cy", "split": split, "use": use, "revision": COMMIT}
    for split, use in (("train", "train"), ("validation", "validation"), ("test", "test"))
]


def loaded(folder: Path) -> Any:
    return ModelCard(card(folder)).data


def test_round_trip_through_the_hubs_own_classes(tmp_path: Path) -> None:
    folder = finished.write(tmp_path / "run")
    given, found = metadata(read(folder)), loaded(folder)
    assert found.to_dict() == given.to_dict()
    (tmp_path / "README.md").write_text(card(folder), encoding="utf-8")
    assert metadata_load(tmp_path / "README.md") == given.to_dict()
    assert findings(card(folder)) == [] and card_rules.findings(card(folder), "model") == ([], [])
    assert found.language == ["en"] and found.license == "cc-by-sa-3.0"
    assert (found.base_model, found.base_model_relation) == ("openai/whisper-tiny.en", "finetune")
    assert (found.pipeline_tag, found.library_name) == ("automatic-speech-recognition", "transformers")
    assert found.metrics == ["wer", "cer"] and found.tags == ["hf-asr", "audio", "speech", "whisper"]
    assert found.datasets is None  # embedded recordings have no id on the Hub


def test_figures_are_those_of_results(tmp_path: Path) -> None:
    found = loaded(finished.write(tmp_path / "run"))
    own, guard = RESULTS["systems"]["fine-tuned"]["contexts"]["pipeline"], RESULTS["guards"][0]["systems"]["fine-tuned"]
    values = {(one.dataset_type, one.metric_type): one.metric_value for one in found.eval_results}
    assert values == {
        ("audiofolder", "wer"): round(100 * own["wer"], 2),
        ("audiofolder", "cer"): round(100 * own["cer"], 2),
        ("openslr/librispeech_asr", "wer"): round(100 * guard["wer"], 2),
        ("openslr/librispeech_asr", "cer"): round(100 * guard["cer"], 2),
    }
    assert found.model_name == "my-run"
    assert found.eval_results[0].metric_args["interval_95"] == [1.23, 3.91]
    assert found.eval_results[0].metric_args["normaliser"] == RESULTS["normaliser"]
    assert found.eval_results[0].dataset_split is None  # held out of a whole


def test_hub_datasets_with_their_own_sides(tmp_path: Path) -> None:
    given = {"data": {"sources": COMMON_VOICE}, "language": "cy"}
    found = loaded(finished.write(tmp_path / "run", recipe=given, data={"left_out_by_reason": {}}))
    one = found.eval_results[0]
    assert found.datasets == ["mozilla-foundation/common_voice_17_0"]
    assert (one.dataset_type, one.dataset_config) == ("mozilla-foundation/common_voice_17_0", "cy")
    assert (one.dataset_split, one.dataset_revision) == ("test", COMMIT)


@pytest.mark.parametrize(("reason", "whole"), [("too long", False), ("transcript also in test", True)])
def test_a_split_without_its_longest_clips_is_not_that_split(tmp_path: Path, reason: str, whole: bool) -> None:
    guard = {"name": "other", "source": {"path": "a/b", "split": "test"}}
    given = {"data": {"sources": COMMON_VOICE}, "language": "cy", "guards": [guard]}
    left_out = {"left_out_by_reason": {reason: {"clips": 3, "hours": 0.03}}}
    folder = finished.write(tmp_path / "run", recipe=given, data=left_out)
    assert loaded(folder).eval_results[0].dataset_split == ("test" if whole else None)
    assert bool(eval_results(folder)) is whole


def test_local_guard_does_not_join_the_test_side(tmp_path: Path) -> None:
    guard = {"name": "librispeech", "source": {"path": "/data/libri"}}
    found = loaded(finished.write(tmp_path / "run", recipe={"guards": [guard]}))
    assert [one.metric_type for one in found.eval_results] == ["wer", "cer"]
    assert found.eval_results[0].metric_value == 2.44


def test_from_scratch_has_no_base_model(tmp_path: Path) -> None:
    found = loaded(finished.from_scratch(tmp_path / "run"))
    assert found.base_model is None and "base_model_relation" not in found
    assert found.tags == ["hf-asr", "audio", "speech", "wav2vec2-bert", "ctc", "from-scratch"]


def test_merged_lora_is_a_finetune(tmp_path: Path) -> None:
    recipe = {"model": {"checkpoint": "facebook/wav2vec2-base", "lora": {"rank": 8}}}
    found = loaded(finished.write(tmp_path / "run", recipe=recipe, model_type="wav2vec2"))
    assert (found.base_model, found.base_model_relation) == ("facebook/wav2vec2-base", "finetune")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("en", ("en", None)),
        ("no", ("no", None)),
        ("EN", ("en", None)),
        ("pt-BR", ("pt", "pt-BR")),
        ("zh_CN", ("zh", "zh-CN")),
        ("nan-tw", ("nan", "nan-tw")),
        ("haw", ("haw", None)),
        ("jw", ("jv", None)),
        ("jp", (None, None)),  # Japan, the country
        ("english", (None, None)),
        ("en: x\nlicense: mit", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_languages(code: str | None, expected: tuple[str | None, str | None]) -> None:
    assert language(code) == expected


def test_language_of_the_card(tmp_path: Path) -> None:
    norwegian = card(finished.write(tmp_path / "no", recipe={"language": "no"}))
    assert yaml.safe_load(norwegian.split("\n---\n")[0])["language"] == ["no"]  # not False
    brazil = loaded(finished.write(tmp_path / "pt", recipe={"language": "pt-BR"}))
    assert (brazil.language, brazil.language_bcp47) == (["pt"], ["pt-BR"])
    wrong = card(finished.write(tmp_path / "jp", recipe={"language": "jp"}))
    assert "language" not in yaml.safe_load(wrong.split("\n---\n")[0]) and "`jp` is no code of ISO 639" in wrong
    assert findings(norwegian) == findings(wrong) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("cc-by-4.0", {"license": "cc-by-4.0"}),
        ("CC-BY-SA-3.0", {"license": "cc-by-sa-3.0"}),
        ("MIT", {"license": "mit"}),
        ("Our own terms, 2026", {"license": "other", "license_name": "our-own-terms-2026"}),
        (
            "Terms at https://example.org/terms",
            {"license": "other", "license_name": "terms-at", "license_link": "https://example.org/terms"},
        ),
        (
            "https://example.org/t",
            {"license": "other", "license_name": "see-link", "license_link": "https://example.org/t"},
        ),
        ("other", {"license": "other", "license_name": "not-named"}),
        ("x\n---\nlicense: mit", {"license": "other", "license_name": "x-license-mit"}),
        (None, {}),
        (" ", {}),
    ],
)
def test_licences(tmp_path: Path, given: str | None, expected: dict[str, str]) -> None:
    assert licence(given) == expected
    text = card(finished.write(tmp_path / "run", recipe={"licence": given}))
    found = yaml.safe_load(text.split("\n---\n")[0])
    assert {key: found[key] for key in ("license", "license_name", "license_link") if key in found} == expected
    assert findings(text) == []


def test_lists_of_the_hub() -> None:
    assert len(ISO_639_1) == 183 and {"en", "no", "jv", "cy"} <= ISO_639_1 and "jp" not in ISO_639_1
    assert card_rules.LICENCES <= LICENCES


GOOD = "language: [en]\nlicense: mit\n"


@pytest.mark.parametrize(
    ("block", "found"),
    [
        (GOOD, 0),
        ("", 1),
        ("- a list\n", 1),
        ("a: [\n", 1),
        ("language: jp\n", 1),
        ("language: no\n", 1),  # False to YAML 1.1
        ("language: [en, noinfo]\n", 1),
        ("license: gpl-9\n", 1),
        ("license: other\n", 1),
        ("license: other\nlicense_name: my-terms-1.0\n", 0),
        ("base_model: /data/models/x\n", 1),
        ("base_model: openai/whisper-tiny\nbase_model_relation: child\n", 1),
        ("datasets: [keithito/lj_speech, ./voices]\n", 1),
        ("pipeline_tag: speech\n", 1),
        ("tags: [1]\n", 1),
        ("model-index: {}\n", 1),
        ("model-index:\n- results: []\n", 1),
        ("model-index:\n- name: x\n  results:\n  - task: {type: asr}\n    dataset: {name: d}\n", 2),
        (
            "model-index:\n- name: x\n  results:\n  - task: {type: asr}\n    dataset: {name: d, type: d}\n"
            "    metrics: [{type: wer, value: 1.0}]\n",
            0,
        ),
    ],
)
def test_rules_of_the_hub(block: str, found: int) -> None:
    assert len(findings(f"---\n{block}---\n# Title\n" if block else "# Title\n")) == found


def test_eval_results_in_the_hubs_format(tmp_path: Path) -> None:
    given = {"data": {"sources": COMMON_VOICE}, "language": "cy"}
    folder = finished.write(tmp_path / "run", recipe=given, data={"left_out_by_reason": {}})
    ((path, text),) = eval_results(folder).items()
    (entry,) = parse_eval_result_entries(yaml.safe_load(text))
    assert path == ".eval_results/mozilla-foundation-common-voice-17-0.yaml"
    assert (entry.dataset_id, entry.task_id) == ("mozilla-foundation/common_voice_17_0", "cy")
    assert (entry.value, entry.dataset_revision) == (2.44, COMMIT)
    assert entry.notes and "lower case, punctuation stripped" in entry.notes
    ((_, named),) = eval_results(folder, task="welsh").items()
    assert yaml.safe_load(named)[0]["dataset"]["task_id"] == "welsh"


def test_eval_results_only_of_a_whole_split_on_the_hub(tmp_path: Path) -> None:
    assert eval_results(finished.write(tmp_path / "embedded")) == {}
    held_out = {"data": {"sources": [{"path": "keithito/lj_speech"}]}}
    assert eval_results(finished.write(tmp_path / "part", recipe=held_out)) == {}
    short = [*COMMON_VOICE[:2], COMMON_VOICE[2] | {"hours": 1}]
    assert eval_results(finished.write(tmp_path / "short", recipe={"data": {"sources": short}})) == {}
    two = [*COMMON_VOICE, {"path": "google/fleurs", "use": "test"}]
    assert eval_results(finished.write(tmp_path / "two", recipe={"data": {"sources": two}})) == {}
