"""The model card of run folders whose figures are known."""

import copy
import json
import random
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from hf_asr import run
from hf_asr.publish import markdown
from hf_asr.publish.card import card
from hf_asr.publish.energy import estimate
from hf_asr.publish.public import files, hub_ids, last_part, public, without_paths
from hf_asr.publish.rules import findings
from hf_asr.recipe import Recipe
from hf_asr.recipe import file as recipe_file
from tests import small
from tests.publish import finished
from tests.publish.finished import BETTER, OPTIONAL, RESULTS, WHISPER

NBSP = "\u00a0"
HOSTILE = [
    "a|b",
    "a\\|b\\",
    "`code` and ``more``",
    "<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>",
    "[text](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example",
    "**bold** _it_ ~~gone~~ # head",
    "line one\nline two\r\n---\nlicense: mit\n---",
    "| --- | --- |",
    "- item",
    "1. item",
    "&lt;b&gt; &#124;",
    "$$x$$ \\(y\\)",
    "\u202eright to left\u202c \u200b\x00\x07",
    "میخواهم می\u200cخواهم",
    "{{ jinja }} ${shell} %s",
    "",
]


class Page(HTMLParser):
    """Tags, addresses and the cells of tables of a rendered card."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data


def body(text: str) -> str:
    return text.split("\n---\n", 1)[1]


def changed(**parts: Any) -> dict[str, Any]:
    """RESULTS with parts of systems and lists replaced."""
    return copy.deepcopy(RESULTS) | parts


def test_every_figure_is_that_of_results(tmp_path: Path) -> None:
    page = Page(body(card(finished.write(tmp_path / "run"))))
    told = [row for row in page.rows if row[0] in ("before fine-tuning", "this model", "from random weights")]
    table, costs = ([row for row in told if (len(row) == 5) == short] for short in (False, True))
    expected = [(name, row) for name, system in RESULTS["systems"].items() for row in system["contexts"].values()]
    names = {"zero-shot": "before fine-tuning", "fine-tuned": "this model", "baseline": "from random weights"}
    assert len(table) == len(expected) == 5
    for cells, (name, row) in zip(table, expected, strict=True):
        assert cells[0] == names[name]
        assert cells[2] == f"{100 * row['wer']:.1f}{NBSP}%"
        assert cells[3] == f"{100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f}"
        assert cells[4] == f"{100 * row['cer']:.1f}{NBSP}%"
        assert cells[6] == "20 + 7 + 3"
    assert [row[0] for row in costs] == list(names.values())
    assert costs[0] == ["before fine-tuning", "–", "–", "–", "0.231"]
    assert costs[2][:4] == ["from random weights", "9.4 MB", f"15.6{NBSP}min", "5.5 min"]
    text = card(tmp_path / "run")
    assert f"**2.4{NBSP}%** (95 % interval 1.2 to 3.9) on 105 test clips" in text
    assert "−5.1 points WER (95 % interval −7.3 to −3.1; paired bootstrap, p = 0.002; matched pairs, p < 0.001)" in text
    assert "`lower case, punctuation stripped (keeps ')`" in text
    assert ["train", "386", f"15.6{NBSP}min", "1"] in page.rows
    assert ["too long", "7", f"2.6{NBSP}min"] in page.rows
    assert ["the", "(nothing)", "5"] in page.rows and ["four", "for", "3"] in page.rows
    assert ["silence", "20", "9 (31 words)", "1 (3 words)"] in page.rows
    assert ["librispeech", "100", f"8.1{NBSP}%", f"9.3{NBSP}%", "5.4 to 9.9"] in page.rows
    assert "19 of 20 clips (others: ends after the clip)" in text


def test_verdicts_are_put_into_words(tmp_path: Path) -> None:
    none = (
        BETTER
        | {"resampled": "speakers"}
        | {"difference": 0.001, "low": -0.01, "high": 0.012, "p_value": 0.84, "matched_pairs_p": None}
    )
    pairs = [
        {
            "system": "fine-tuned",
            "against": "zero-shot",
            "context": "pipeline",
            **none,
            "verdict": "no evidence of a difference",
        },
        {"system": "fine-tuned", "against": "baseline", "context": "pipeline", **BETTER, "verdict": "worse"},
    ]
    parity = {"clips": 20, "equal": 18, "differing": [["a", "b", "c"]] * 2}
    text = card(finished.write(tmp_path / "run", results={"comparisons": pairs, "parity": parity}))
    assert "**No evidence of a difference** from the checkpoint before fine-tuning" in text
    assert "+0.1 points WER (95 % interval −1.0 to +1.2; paired bootstrap over speakers, p = 0.84)." in text
    assert "**Worse** than the network from random weights" in text
    assert "on 18 of 20 clips" in text and "Checked:" not in text
    assert "**forgotten in part**, +1.2 points" in text


@pytest.mark.parametrize("missing", [*OPTIONAL, "parity", "zero-shot", "baseline", "all"])
def test_what_was_not_measured_is_left_out_or_said(tmp_path: Path, missing: str) -> None:
    folder = finished.write(tmp_path / "run")
    results = run.read_json(folder / run.RESULTS)
    for name in (*OPTIONAL, "parity", "peak_memory_bytes") if missing == "all" else (missing,):
        results.pop(name, None)
    for name in ("zero-shot", "baseline"):
        if missing in (name, "all"):
            del results["systems"][name]
    if missing == "all":
        (folder / run.LOG).unlink()
        (folder / run.MODEL / "config.json").unlink()
    run.write_json(folder / run.RESULTS, results)
    text = card(folder)
    assert findings(text) == []
    assert not re.search(r"[Mm]ore information|\bNone\b|\bnan\b|\bnull\b|TODO", body(text).split("```yaml")[0])
    assert ("no figure from before fine-tuning" in text) is (missing in ("zero-shot", "all"))
    assert ("No network was trained from random weights" in text) is (missing in ("baseline", "all"))
    assert "\n\n\n" not in text and not re.search(r"^## .*\n\n## ", text, re.MULTILINE)


def test_unfinished_run_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(run.RunError, match=r"no run folder: it has no recipe\.yaml"):
        card(tmp_path)
    for name in (run.RESULTS, run.DATA, run.ENVIRONMENT):
        folder = finished.write(tmp_path / name)
        (folder / name).unlink()
        with pytest.raises(run.RunError, match=rf"unfinished run, {re.escape(name)} missing: repeat"):
            card(folder)
    old = finished.write(tmp_path / "old")
    run.write_json(old / run.RESULTS, {"zero_shot": {}, "fine_tuned": {}})
    with pytest.raises(run.RunError, match="earlier version"):
        card(old)
    run.write_json(old / run.RESULTS, changed(systems={"fine-tuned": {"contexts": {}}}))
    with pytest.raises(run.RunError, match="no figures of the fine-tuned model"):
        card(old)


def test_baseline_says_that_it_comes_from_scratch(tmp_path: Path) -> None:
    text = card(finished.from_scratch(tmp_path / "run"), "anna/my-run-baseline", "anna/my-run")
    assert "network trained **from random weights**" in text and "Nothing in it is pretrained" in text
    assert "base_model" not in text.split("\n---\n")[0]
    assert "The fine-tuned model it is compared with: [anna/my-run](https://huggingface.co/anna/my-run)" in text
    assert "no figure from before training" in text and "before fine-tuning" not in text


def test_a_network_with_its_own_code_is_loaded_with_trust(tmp_path: Path) -> None:
    folder = finished.from_scratch(tmp_path / "run")
    assert "trust_remote_code=True" not in card(folder)
    config = run.read_json(folder / run.MODEL / "config.json")
    run.write_json(folder / run.MODEL / "config.json", {**config, "auto_map": {"AutoConfig": "configuration_x.X"}})
    text = card(folder, "anna/a")
    assert 'model="anna/a", trust_remote_code=True)' in text and "Read them first." in text


def test_each_card_links_the_other(tmp_path: Path) -> None:
    folder = finished.write(tmp_path / "run")
    assert "https://huggingface.co/anna/b" not in card(folder, "anna/a")
    assert "[anna/b](https://huggingface.co/anna/b)" in card(folder, "anna/a", "anna/b")
    assert 'model="anna/a"' in card(folder, "anna/a") and 'model="model"' in card(folder)


@pytest.mark.parametrize("text", HOSTILE)
def test_untrusted_text_stays_text(tmp_path: Path, text: str) -> None:
    system = {"wer": 0.5, "wer_low": 0.4, "wer_high": 0.6}
    row = {"by": f"by {text}", "slice": text, "clips": 1, "words": 2, "systems": {"fine-tuned": system}}
    plain_row = row | {"by": "duration"}
    results = changed(
        normaliser=f"keeps {text}",
        confusions=[{"reference": f"x{text}", "hypothesis": text, "count": 2}],
        slices=[row, plain_row],
        timestamps={"fine-tuned": {"clips": 2, "valid": 1, "problems": [["id", text]]}},
    )
    results["systems"]["fine-tuned"]["about"] = text
    data = {"warnings": [text], "left_out_by_reason": {text: {"clips": 1, "hours": 0.1}}}
    folder = finished.write(tmp_path / "run", results=results, data=data)
    found = card(folder)
    assert findings(found) == []
    page, quiet = Page(body(found)), Page(body(card(finished.write(tmp_path / "quiet", results={"guards": []}))))
    assert not {"script", "img", "iframe", "del"} & set(page.tags)
    assert page.tags.count("h1") == 1 and page.tags.count("details") == quiet.tags.count("details")
    assert all(re.match(r"https://(huggingface\.co|arxiv\.org)/", link) for link in page.links)
    shown = markdown.one_line(text, 40)
    said = markdown.one_line(f"x{text}", 40)
    confusion = [row for row in page.rows if row and row[0] == said]
    assert confusion == [[said, shown or "(nothing)", "2"]]
    left_out = [cells for cells in page.rows if cells[1:] == ["1", f"6.0{NBSP}min"]]
    assert [cells[0] for cells in left_out] == [markdown.one_line(without_paths(text))]


def test_cells_hold_any_text() -> None:
    chance = random.Random(0)
    alphabet = "ab 1.-+|\\`*_[]()<>#~&$!:/^{}=\n\t\u202e" + "é本"
    texts = ["".join(chance.choices(alphabet, k=chance.randint(1, 12))) for _ in range(2000)]
    rows = [[markdown.plain(text), markdown.code(text), "end"] for text in texts]
    page = Page(markdown.table(["a", "b", "c"], rows))
    wanted = [[markdown.one_line(text), markdown.one_line(text), "end"] for text in texts]
    assert page.rows[1:] == wanted
    assert set(page.tags) == {"table", "thead", "tbody", "tr", "th", "td", "code"}
    items = Page("\n\n".join(markdown.plain(text) for text in texts if markdown.one_line(text)))
    assert set(items.tags) == {"p"}


LOCAL: dict[str, Any] = {
    "output": "/home/someone/runs/my-run",
    "data": {
        "sources": [
            {"path": "/home/someone/secret-project/recordings/"},
            {"path": "~/voices/evening.csv", "use": "train"},
            {"path": "../someone/folder two", "use": "train"},
            {"path": "/home/someone", "use": "train"},
            {"path": "C:\\Users\\someone\\clips", "use": "train"},
        ]
    },
    "model": {"checkpoint": "/mnt/someone/models/whisper-tiny.en", "config": {"_name_or_path": "/home/someone/x/y"}},
    "training": {"max_steps": 5, "augment": {"noise": {"folder": "/home/someone/noises"}}},
    "guards": [{"name": "librispeech", "source": {"path": "/home/someone/libri"}}],
    "hub": {"to": "someone/private"},
}


def local_run(folder: Path) -> Path:
    results = changed()
    for name in ("zero-shot", "fine-tuned"):
        results["systems"][name]["about"] = "weights of /mnt/someone/models/whisper-tiny.en, its own tokens"
        results["systems"][name]["checkpoint"] = "/mnt/someone/models/whisper-tiny.en"
    warning = "2 recordings occur twice, 0 of them on two sides (/home/someone/secret-project/recordings/a = b)"
    return finished.write(folder, recipe=LOCAL, results=results, data={"warnings": [warning]})


def test_no_folder_and_no_user_name(tmp_path: Path) -> None:
    folder = local_run(tmp_path / "run")
    for name, text in {"card": card(folder, "anna/my-run"), **files(folder)}.items():
        assert "someone" not in text, name
        assert not re.search(r"/(home|mnt|tmp)/|C:\\|secret-project|~/", text), name
        assert str(tmp_path) not in text
    text = card(folder)
    for part in ("`recordings`", "`evening.csv`", "`folder two`", "`whisper-tiny.en`", "`clips`"):
        assert part in text
    assert "base_model" not in text and "datasets:" not in text
    own = recipe_file.load(str(folder / run.RECIPE), check_exists=False)
    assert own.data.sources[0].path == "/home/someone/secret-project/recordings/"  # the run's own file is as it was


def test_speakers_have_numbers_not_names(tmp_path: Path) -> None:
    folder = finished.write(tmp_path / "run")
    for text in (card(folder), *files(folder).values()):
        assert "jane" not in text
    assert "| speaker 1 | 105 | 1,234 |" in card(folder)


def test_warnings_name_neither_speakers_nor_clips(tmp_path: Path) -> None:
    told = ["2 speakers are in test and in train (Jane (Doe), joe)", "2 recordings occur twice (ward/patient = b)"]
    text = card(finished.write(tmp_path / "run", data={"warnings": told}))
    for part in ("Mind: 2 speakers are in test and in train", "Mind: 2 recordings occur twice"):
        assert part in text
    for name in ("Doe", "joe", "patient"):
        assert name not in text


def test_beside_the_model_lie_no_clips_and_no_transcripts(tmp_path: Path) -> None:
    results = changed(
        parity={"clips": 20, "equal": 19, "differing": [["clip-3", "what was said", "what was sad"]]},
        training=RESULTS["training"] | {"unreadable": ["clips/two"]},
    )
    results["systems"]["fine-tuned"]["contexts"]["pipeline"]["unreadable"] = ["clips/three"]
    guard = {"name": "librispeech", "given": 101, "left_out": [{"id": "clips/four"}]}
    folder = finished.write(
        tmp_path / "run", results=results, data={"guards": [guard], "warnings": ["clips/five twice"]}
    )
    found = files(folder)
    assert set(found) == {run.RECIPE, run.RESULTS, run.DATA, run.ENVIRONMENT}
    together = "".join(found.values())
    assert "what was" not in together and "clips/" not in together and "clip-" not in together
    told = json.loads(found[run.RESULTS])
    assert told["training"]["unreadable"] == [""] and told["timestamps"]["fine-tuned"]["problems"][0][1]
    assert told["systems"]["fine-tuned"]["contexts"]["pipeline"]["wer"] == 0.0244
    assert json.loads(found[run.DATA])["guards"] == [{"name": "librispeech", "given": 101}]
    assert "could not be read; nothing was recognised there" in card(folder)


def test_old_data_is_told(tmp_path: Path) -> None:
    replay = {"sources": [{"path": "openslr/librispeech_asr"}], "share": 0.2}
    recipe = {"training": {"max_steps": 5, "replay": replay}}
    told = {"clips": 120, "hours": 0.5, "share_of_epoch": 0.198}
    text = card(finished.write(tmp_path / "run", recipe=recipe, data={"replay": told}))
    assert f"old data against forgetting, 19.8{NBSP}% of an epoch, 120 clips (30.0{NBSP}min): [openslr/" in text
    assert "datasets:\n- openslr/librispeech_asr" in text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/data/voices", "voices"),
        ("/data/voices/", "voices"),
        ("voices", "voices"),
        ("./voices", "voices"),
        ("~/voices", "voices"),
        ("/home/jo", "folder"),
        ("/Users/jo/", "folder"),
        ("C:\\Users\\jo", "folder"),
        ("C:\\data\\voices", "voices"),
        ("~", "folder"),
        ("~jo", "folder"),
        ("..", "folder"),
        ("/", "folder"),
    ],
)
def test_last_part(path: str, expected: str) -> None:
    assert last_part(path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("weights of /data/models/tiny, its own tokens", "weights of tiny, its own tokens"),
        ("read and/or written, 3/4 of openai/whisper-tiny", "read and/or written, 3/4 of openai/whisper-tiny"),
        ("https://huggingface.co/a/b", "https://huggingface.co/a/b"),
        ("no recording: '/srv/x/y.wav'", "no recording: 'y.wav'"),
        ("from file:///srv/x/y.wav", "from y.wav"),
        ("C:\\work\\x\\y.wav is gone", "y.wav is gone"),
        ("~/x/y.wav", "y.wav"),
    ],
)
def test_paths_in_sentences(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_recipe_in_the_card_can_be_run(tmp_path: Path) -> None:
    folder = local_run(tmp_path / "run")
    text = card(folder)
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    command = re.search(r"```sh\n(hf-asr finetune recipe\.yaml.*)\n```", text)
    assert found and command
    (tmp_path / "recipe.yaml").write_text(found[1], encoding="utf-8")
    assert found[1] == public(folder) == files(folder)[run.RECIPE]
    overrides = [word for word in command[1].split() if "=" in word]
    loaded = recipe_file.load(str(tmp_path / "recipe.yaml"), overrides, check_exists=False)
    assert {source.path for source in loaded.data.sources} == {"FOLDER"}
    assert loaded.model.checkpoint == loaded.guards[0].source.path == "FOLDER"
    assert loaded.training.augment.noise and loaded.training.augment.noise.folder == "FOLDER"
    assert loaded.hub.to is None and loaded.output == "runs/my-run"
    plain_run = card(finished.write(tmp_path / "plain"))
    assert "```sh\nhf-asr finetune recipe.yaml\n```" in plain_run
    assert "commit `97e6525`, changed since" in plain_run and "transformers 5.23.0" in plain_run


def test_ids_of_the_hub_are_known_where_the_run_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sources = [
        {"path": "keithito/lj_speech"},
        {"path": "data/voices"},
        {"path": "a/b.csv"},
        {"path": "x/y", "format": "hub"},
    ]
    recipe = Recipe.model_validate(WHISPER | {"data": {"sources": sources}, "guards": []})
    (tmp_path / "data" / "voices").mkdir(parents=True)
    assert hub_ids(recipe) == ("keithito/lj_speech", "x/y", "openai/whisper-tiny.en")
    told = {"hub": ["keithito/lj_speech"]}  # as data.json has it from the machine of the run
    folder = finished.write(tmp_path / "run", recipe={"data": {"sources": sources[:2]}, "guards": []}, data=told)
    (tmp_path / "data" / "voices").rmdir()
    text = card(folder)
    assert "datasets/keithito/lj_speech" in text and "`voices`" in text and "data/voices" not in text
    assert "base_model" not in text  # a local folder of that name, says data.json


def test_attribution_of_embedded_recordings(tmp_path: Path) -> None:
    folder = finished.write(tmp_path / "run")
    assert '"Asterisk core sounds", Copyright 2003-2010 Allison Smith, CC-BY-SA 3.0' in card(folder)
    assert "published under `cc-by-sa-3.0`" in card(folder)
    assert "openai/whisper-tiny.en](https://huggingface.co/openai/whisper-tiny.en): its licence was not read" in card(
        folder
    )
    other = finished.write(tmp_path / "other", recipe={"data": {"sources": [{"path": "a/b"}]}, "licence": None})
    assert "Allison" not in card(other) and "No licence was named" in card(other)


def test_clips_that_name_no_speaker_are_not_counted_as_one_more_of_his(tmp_path: Path) -> None:
    sides = copy.deepcopy(finished.DATA["sides"])
    sides["train"] |= {"clips": 310, "speakers": 1, "unnamed": 270}
    sides["test"] |= {"clips": 40, "speakers": 1, "unnamed": 40}
    text = card(finished.write(tmp_path / "run", data={"sides": sides}))
    assert "1 speaker is named there, and 270 of 310 clips name none" in text
    assert "single speaker" not in text and "single voice" not in text
    assert "1, and 270 clips name none" in text


def test_limitations_follow_from_the_facts(tmp_path: Path) -> None:
    text = card(finished.write(tmp_path / "run"))
    assert f"One voice: it learned from 15.6{NBSP}min of a single speaker." in text
    assert "prompts of a telephone system, spoken by one professional voice" in text
    assert "The test side is small (1,234 words)" in text
    assert f"Worse than the 2.4{NBSP}% of all clips: duration under 2 s: 9.1{NBSP}% (4.1 to 13.1; 55 words)." in text
    sides = copy.deepcopy(finished.DATA["sides"])
    sides["train"] |= {"hours": 24.5, "speakers": 40}
    systems = copy.deepcopy(RESULTS["systems"])
    systems["fine-tuned"]["contexts"]["pipeline"]["words"] = 20_000
    recipe = {"data": {"sources": [{"path": "a/b"}]}, "text": {"case": "lower", "punctuation": "strip"}}
    other = finished.write(
        tmp_path / "o", recipe=recipe, data={"sides": sides}, results={"systems": systems, "probes": []}
    )
    text = card(other)
    assert f"It learned from 24.5{NBSP}h of 40 speakers" in text and "The test side is a single voice." in text
    assert "test side is small" not in text and "telephone system" not in text
    assert "It writes as it was taught: lower case, no punctuation." in text
    assert "Whether it invents words where nobody speaks was not measured" in text


def test_methods_are_cited(tmp_path: Path) -> None:
    recipe = {
        "model": {"checkpoint": "facebook/wav2vec2-xls-r-300m", "lora": {"rank": 8}},
        "training": {"max_steps": 5, "augment": {"spec_augment": {}}},
    }
    text = card(finished.write(tmp_path / "run", recipe=recipe, model_type="wav2vec2"), "anna/my_run")
    for identity in ("2006.11477", "2111.09296", "2106.09685", "1904.08779"):
        assert f"https://arxiv.org/abs/{identity}" in text and f"eprint = {{{identity}}}" in text
    assert "2212.04356" not in text and "LoRA of rank 8, merged" in text
    assert "https://arxiv.org/abs/2212.04356" in card(finished.write(tmp_path / "w"))


def test_electricity_by_hand() -> None:
    found = estimate(30, {"gpu": None, "threads": 2, "processes": 1, "cores": 64})
    assert (found.hours, found.devices, found.watts) == (0.5, 2, 12) and found.kwh == pytest.approx(0.012)
    boards = {
        "NVIDIA H200": 700,
        "NVIDIA H100 80GB HBM3": 700,
        "NVIDIA H100 PCIe": 350,
        "NVIDIA A100-SXM4-80GB": 400,
        "NVIDIA A100 80GB PCIe": 300,
        "Tesla T4": 70,
        "Tesla V100-SXM2-16GB": 300,
        "NVIDIA L4": 72,
        "NVIDIA L40S": 350,
        "NVIDIA A10G": 200,  # not in the table: the calculator's own assumption
        "NVIDIA RTX A4000": 200,
        "NVIDIA GeForce RTX 4090": 450,
        "NVIDIA GeForce RTX 4090 Laptop GPU": 200,
    }
    for name, watts in boards.items():
        assert estimate(60, {"gpu": name, "processes": 2}).kwh == pytest.approx(2 * watts / 1000), name


def test_electricity_is_told_with_its_assumptions(tmp_path: Path) -> None:
    text = card(finished.write(tmp_path / "run"))
    assert "0.0503 h × 2 processor cores × 12 W = **0.0012 kWh**" in text
    assert "an estimate" in text and "CO₂ is not told" in text and "co2" not in text.split("\n---\n")[0]
    gpu = card(finished.write(tmp_path / "gpu", environment={"gpu": "NVIDIA H200", "processes": 2}))
    assert "0.0503 h × 2 GPUs × 700 W = **0.07 kWh**" in gpu and "on 2 × NVIDIA H200" in gpu


def tiny_ctc(folder: Path) -> None:
    """A wav2vec2 from random weights that writes four letters."""
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    folder.mkdir()
    units = folder / "vocab.json"
    run.write_json(units, {"<pad>": 0, "<unk>": 1, "|": 2, "a": 3, "b": 4})
    tokenizer = Wav2Vec2CTCTokenizer(str(units), bos_token=None, eos_token=None, pad_token="<pad>", unk_token="<unk>")
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = Wav2Vec2Config(**shape, conv_dim=(8,), conv_kernel=(10,), conv_stride=(320,), vocab_size=5, pad_token_id=0)
    Wav2Vec2ForCTC(config).save_pretrained(folder)
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(return_attention_mask=True), tokenizer).save_pretrained(folder)


def execute(folder: Path, model: Path, samples: Any, rate: int) -> str:
    """What the card's lines print, in a process that knows nothing of us."""
    import soundfile

    shutil.rmtree(folder / run.MODEL)
    model.rename(folder / run.MODEL)
    soundfile.write(folder / "clip.wav", samples, rate)
    found = re.search(r"```python\n(.*?)```", card(folder), re.DOTALL)
    assert found
    command = [sys.executable, "-c", found[1]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_the_lines_for_use_run_on_a_ctc_model(tmp_path: Path) -> None:
    import numpy as np

    folder = finished.write(tmp_path / "run", recipe={"model": {"checkpoint": "facebook/wav2vec2-base"}})
    tiny_ctc(tmp_path / "tiny")
    noise = np.random.default_rng(0).normal(0, 0.1, (88_200, 2))
    assert set(execute(folder, tmp_path / "tiny", noise, 44_100)) <= set(
        "ab <unk>"
    )  # random weights may well say <unk>


@pytest.mark.slow
def test_the_lines_for_use_run_on_whisper(tmp_path: Path, whisper_checkpoint: Path) -> None:
    import soundfile

    from hf_asr.models import checkpoints
    from hf_asr.recipe import Model, Whisper

    recogniser = checkpoints.load(Model(checkpoint=str(whisper_checkpoint)), Whisper(), "en")
    checkpoints.save(recogniser, tmp_path / "saved", beams=1)
    samples, rate = soundfile.read(small.ROOT / "hf_asr/assets/prompts-en/clips/en-vm-goodbye.ogg")
    assert "goodbye" in execute(finished.write(tmp_path / "run"), tmp_path / "saved", samples, rate).lower()
