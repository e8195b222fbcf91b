"""Recipes are found, read, filled in, and every mistake in them is told at once with its place and remedy."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hf_asr.recipe import Recipe, RecipeError, Section
from hf_asr.recipe import file as recipe_file
from hf_asr.recipe.checks import MODEL_TYPES
from hf_asr.recipe.scalars import parse, write

ROOT = Path(__file__).parents[1]

GOOD = """
data:
  sources:
    - path: clips
model:
  checkpoint: base
training:
  epochs: 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with recordings, a checkpoint and the Hub switched off with an empty cache."""
    for name in ("clips", "base", "runs/old/model"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "base/config.json").write_text("{}")
    (tmp_path / "runs/old/model/config.json").write_text("{}")
    (tmp_path / "taken").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path


def problems(text: str | bytes, *overrides: str, check_exists: bool = True) -> dict[str, str]:
    Path("r.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RecipeError) as caught:
        recipe_file.load("r.yaml", overrides, check_exists=check_exists)
    assert len(dict(caught.value.problems)) == len(caught.value.problems)
    return dict(caught.value.problems)


BROKEN = {
    "unknown key": (
        "data:\n  sources:\n    - {path: clip, text_colum: t}\n  tekst: 1\nmodel: {checkpoint: base}\n"
        "training: {epochs: 1}\nmax_steps: 5\n",
        {
            "data.sources.0.text_colum": "unknown key (did you mean `text_column`?)",
            "data.sources.0.path": "no such file or folder: 'clip'",  # looked for all the same
            "data.tekst": "unknown key; known here: sources, splits",
            "max_steps": "unknown key here (did you mean `training.max_steps`?)",
        },
    ),
    "wrong type": (
        GOOD + "  learning_rate: fast\n  max_steps: 1.5\n  batch_seconds: true\n  precision: f16\n  report_to: wandb\n",
        {
            "training.learning_rate": "expected a number, got 'fast'",
            "training.max_steps": "expected a whole number, got 1.5",
            "training.batch_seconds": "expected a number, got true",
            "training.precision": "expected one of auto, float32, bf16, fp16, got 'f16' (did you mean `fp16`?)",
            "training.report_to": "expected a list, got 'wandb' (write [wandb])",
        },
    ),
    "missing sections": (
        "name: x\nmodel:\ntraining: {learning_rate: 1e-4}\n",
        {
            "data": "missing: recordings and transcripts",
            "model": "missing: the checkpoint",
            "training": "needs a budget: epochs, max_steps or max_minutes",
        },
    ),
    "1e-4 where whole": (
        GOOD + "  max_steps: 1e-4\n  evaluate_every: '1e-4'\nseed: -1\n",
        {
            "training.max_steps": "expected a whole number, got 0.0001",
            "training.evaluate_every": "expected a whole number, got '1e-4'",
            "seed": "must be at least 0, got -1",
        },
    ),
    "no as a boolean": (
        GOOD + "  compile: no\nwhisper: {own_length: on}\nlanguage: false\n",
        {
            "training.compile": "expected true or false, got 'no' (write false)",
            "whisper.own_length": "expected true or false, got 'on' (write true)",
            "language": "expected text, got false",
        },
    ),
    "impossible split": (
        GOOD.replace("model:", "  splits: {validation: 0.6, test: 0.5}\n  max_seconds: 0.05\nmodel:"),
        {"data.splits": "validation and test take 1.1 of the audio and leave nothing to train on"},
    ),
    "missing data": (
        GOOD.replace("path: clips", "path: clip\n    - path: embedded:prompts-xx\n    - path: user/speech"),
        {
            "data.sources.0.path": "no such file or folder: 'clip', from {here} (did you mean `clips`?)",
            "data.sources.1.path": "no embedded data is called 'prompts-xx' (did you mean `prompts-en`?)",
            "data.sources.2.path": "--set data.sources.2.path=FOLDER",
        },
    ),
    "unknown checkpoint offline": (
        GOOD.replace("base", "openai/whisper-nano") + "output: taken\n",
        {
            "model.checkpoint": "the Hub is switched off (HF_HUB_OFFLINE): go online once, or --set model.checkpoint=",
            "output": "'taken' is a file",
        },
    ),
    "no checkpoint in the folder": (
        GOOD.replace("checkpoint: base", "checkpoint: runs/old"),
        {"model.checkpoint": "has no config.json: it is no checkpoint (did you mean `runs/old/model`?)"},
    ),
    "nothing to start from": (
        GOOD.replace("checkpoint: base", "from_scratch: {model_type: wav2vec3}").replace(
            "clips", "clips\n      use: test"
        ),
        {
            "model.from_scratch.model_type": "no CTC network is called 'wav2vec3' (did you mean `wav2vec2`?)",
            "data.sources": "none trains",
        },
    ),
    "what comes after the fine-tuning": (
        GOOD + "baseline: {from_scratch: {model_type: deepspeach2}}\ndecoding: {lm: {texts: [clips, more.txt]}}\n",
        {
            "baseline.from_scratch.model_type": "no CTC network is called 'deepspeach2' (did you mean `deepspeech2`?)",
            "decoding.lm.texts.0": "no such file: 'clips', from {here}",
            "decoding.lm.texts.1": "no such file: 'more.txt', from {here}",
        },
    ),
    "written twice": (
        GOOD + "  epochs: 4\ntext: {numerals: spell}\n",
        {
            "training.epochs": "is written twice, on lines 8 and 9: keep one",
            "language": "missing: `text.numerals: spell` must know",
        },
    ),
    "weights on test": (
        GOOD.replace("clips", "clips\n    - {path: clips, use: test, weight: 2}").replace("epochs: 3", "max_steps: -1"),
        {
            "data.sources.1.weight": "weights are for training clips",
            "training.max_steps": "must be at least 1, got -1",
        },
    ),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_recipes_are_told_all_at_once(here: Path, text: str, expected: dict[str, str]) -> None:
    found = problems(text)
    assert found.keys() == expected.keys()
    for place, told in expected.items():
        assert told.replace("{here}", str(here)) in found[place]


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("data: a: b", "line 1, column 8", "a second `:` here"),
        ("data:\n\tsources: []", "line 2, column 1", "a tab: indent with spaces"),
        ("data:\n  a: 1\n b: 2", "line 3, column 2", "expected a line indented like"),
        ("name: 'x\ndata: 1", "line 2, column 8", "expected the closing quote of the text that begins on line 1"),
        ("model: {freeze: [encoder}", "line 1, column 25", "expected `,` or `]`"),
        ("name: *x", "line 1, column 7", "put text with `*` in quotes"),
        ("name: !!python/name:os.system x", "name", "`tag:yaml.org,2002:python/name:os.system` has no place"),
        ("data: &a [*a]", "data.0", "contains itself"),
        ("", "file", "is empty"),
        ("# nothing\n", "file", "is empty"),
        ("- a\n- b\n", "file", "holds a list"),
        ("just words", "file", "holds a single value"),
        (b"\x89PNG\r\n\xff\x00", "file", "is not UTF-8 text, from byte 1 on"),
        (b"name: \x00\x01", "line 1", "a character that is no text"),
    ],
)
def test_what_is_no_recipe_at_all(here: Path, text: str | bytes, place: str, told: str) -> None:
    assert told in problems(text)[place]


def test_traps_of_yaml_are_none(here: Path) -> None:
    text = GOOD + "  learning_rate: 1e-4\nlanguage: no\nname: '2024'\nlicence: 1:30\ntext: {keep: \"'\"}\ndecoding:\n"
    Path("r.yaml").write_text(text)
    recipe = recipe_file.load("r.yaml")
    assert (recipe.training.learning_rate, recipe.language, recipe.name) == (1e-4, "no", "2024")
    assert recipe.licence == "1:30"
    assert recipe.decoding.beams == 1


def test_name_output_and_language_are_filled_in(here: Path) -> None:
    Path("my recipe.yaml").write_text(GOOD.replace("path: clips", "path: 'cv/{language}'\n      config: '{language}'"))
    recipe = recipe_file.load("my recipe.yaml", ["language=no"], check_exists=False)
    assert (recipe.name, recipe.output) == ("my-recipe", "runs/my-recipe")
    assert (recipe.data.sources[0].path, recipe.data.sources[0].config) == ("cv/no", "no")
    named = recipe_file.load("my recipe.yaml", ["language=cy", "name=cv-{language}"], check_exists=False)
    assert named.output == "runs/cv-cy"
    assert "data.sources.0.path" in problems(Path("my recipe.yaml").read_text(), check_exists=False)["language"]


def test_overrides_by_path(here: Path) -> None:
    Path("r.yaml").write_text(GOOD)
    overrides = ["training.max_steps=200", "data.sources.0.hours=1e-1", "model.config.layerdrop=0", "language=no"]
    recipe = recipe_file.load(
        "r.yaml", [*overrides, "data.sources.1.path=clips", "model.freeze=[encoder]", "text.keep=''"]
    )
    assert recipe.training.max_steps == 200
    assert [source.hours for source in recipe.data.sources] == [0.1, None]
    assert (recipe.model.config, recipe.model.freeze, recipe.language) == ({"layerdrop": 0}, ("encoder",), "no")
    assert recipe.text.keep == ""


@pytest.mark.parametrize(
    ("override", "place", "told"),
    [
        ("training.max_step=5", "training.max_step", "did you mean `max_steps`?"),
        ("training.max_steps", "--set", "expected KEY=VALUE"),
        ("data.sources.path=x", "--set data.sources.path", "data.sources is a list: name one of its items"),
        ("data.sources.7.path=x", "--set data.sources.7.path", "(data.sources.0), not '7'"),
        ("model.checkpoint.x=1", "--set model.checkpoint.x", "model.checkpoint is no section"),
        ("text.keep='", "--set text.keep", "expected the closing quote"),
        ("text.keep=", "text.keep", "expected text, got nothing (write '' for empty text)"),
        ("model.checkpoint=nowhere", "model.checkpoint", "no such folder: 'nowhere'"),
    ],
)
def test_overrides_that_fit_nowhere(here: Path, override: str, place: str, told: str) -> None:
    assert told in problems(GOOD, override)[place]


def test_files_and_names_that_are_not_there(here: Path) -> None:
    for name, told in [
        ("quikstart", "no such file (did you mean `quickstart`?); shipped recipes: adapt-speaker, "),
        ("clips", "is a folder without a recipe.yaml"),
        ("runs/x.yaml", "no such file"),
    ]:
        with pytest.raises(RecipeError) as caught:
            recipe_file.load(name)
        assert str(caught.value).startswith(f"{name} has 1 problem\n  file  {told}")


def test_a_run_folder_is_named_by_itself(here: Path) -> None:
    Path("runs/old/recipe.yaml").write_text(GOOD)
    assert recipe_file.load("runs/old").name == "old"


def test_what_the_cache_holds_is_there_offline(here: Path) -> None:
    for folder, file in (("models--user--base", "config.json"), ("datasets--user--speech", "data.parquet")):
        (here / "cache" / folder / "refs").mkdir(parents=True)
        (here / "cache" / folder / "refs/main").write_text("abc")
        (here / "cache" / folder / "snapshots/abc").mkdir(parents=True)
        (here / "cache" / folder / "snapshots/abc" / file).write_text("")
    Path("r.yaml").write_text(GOOD)
    overrides = ["data.sources.0.path=user/speech", "model.checkpoint=user/base"]
    assert recipe_file.load("r.yaml", overrides).model.checkpoint == "user/base"
    assert "model.checkpoint" in problems(GOOD, *overrides, "model.revision=v2")


def test_hub_ids_are_not_looked_for_online(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    Path("r.yaml").write_text(GOOD)
    recipe_file.load("r.yaml", ["data.sources.0.path=user/speech", "model.checkpoint=user/base"])


@pytest.mark.parametrize("name", [name for name, _ in recipe_file.shipped()])
def test_shipped_recipes_load_and_come_back_from_what_is_dumped(name: str, tmp_path: Path) -> None:
    recipe = recipe_file.load(name, check_exists=False)
    (tmp_path / "recipe.yaml").write_text(recipe_file.dump(recipe), encoding="utf-8")
    assert recipe_file.load(str(tmp_path), check_exists=False) == recipe
    text = recipe_file.find(name).read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../docs/recipe.schema.json\n# Purpose: ")
    for word in (f"hf-asr finetune {name}", "# Expected WER: ", "# Time: ", "# Hardware: "):
        assert word in text


def test_the_shipped_are_these_with_a_purpose_each() -> None:
    shipped = dict(recipe_file.shipped())
    names = {"quickstart", "ljspeech", "ljspeech-whisper", "common-voice", "whisper-lora", "my-voice", "micro"}
    names |= {"deepspeech2", "adapt-speaker"}
    assert set(shipped) == names
    assert all(len(purpose) > 20 for purpose in shipped.values())


def test_norms_alone_and_lora_exclude_each_other() -> None:
    given = ("model.freeze=[all_but_norms]", "guards=[]")
    assert recipe_file.load("adapt-speaker", (*given, "model.lora=null"), check_exists=False).model.lora is None
    with pytest.raises(RecipeError, match="lora freezes them"):
        recipe_file.load("adapt-speaker", given, check_exists=False)


def test_what_is_dumped_is_read_the_same() -> None:
    words = [
        "no",
        "1e-4",
        "on",
        "5",
        "",
        "~",
        "null",
        "a: b",
        "# x",
        "'",
        "0x1F",
        "1:30",
        "2024-01-01",
        "é 你",
        "a\nb",
        " x",
    ]
    value = {"texts": words, "numbers": [1e-5, 1e22, 0.1, -3, 10**20], "others": [True, None, {}, []], "no": 1}
    assert parse(write(value)) == (value, [])
    recipe = Recipe.model_validate(
        {
            "language": "no",
            "licence": "1e-4",
            "data": {"sources": [{"path": "on", "config": "yes", "hours": 1e-5}]},
            "model": {"from_scratch": {"model_type": "wav2vec2", "hidden_act": "null", "layerdrop": float("inf")}},
            "training": {"max_minutes": 1},
        }
    )
    text = recipe_file.dump(recipe)
    assert "language: 'no'" in text
    assert "licence: '1e-4'" in text
    assert Recipe.model_validate(parse(text)[0]) == recipe


@pytest.mark.parametrize("family", ["ctc", "whisper"])
@pytest.mark.parametrize("folder", ["recordings", "my: voice #1", "no"])
def test_a_new_recipe_loads(folder: str, family: str, tmp_path: Path) -> None:
    text = recipe_file.new(Path(folder), family)  # type: ignore[arg-type]
    (tmp_path / "new.yaml").write_text(text, encoding="utf-8")
    recipe = recipe_file.load(str(tmp_path / "new.yaml"), check_exists=False)
    assert recipe.data.sources[0].path == folder
    assert ("whisper" in str(recipe.model.checkpoint)) == (family == "whisper")
    assert text.count("  # ") > 5


def test_generated_documents_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_docs", ROOT / "scripts/make_docs.py")
    assert spec and spec.loader
    make_docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_docs)
    for name, text in make_docs.contents().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, "run: python scripts/make_docs.py"


def test_every_field_is_explained() -> None:
    schema = recipe_file.json_schema()
    sections = [schema, *schema["$defs"].values()]
    ours = [section for section in Section.__subclasses__() if section.__module__.startswith("hf_asr.recipe")]
    assert len(sections) == len(ours)
    for section in sections:
        for name, field in section["properties"].items():
            assert field.get("description"), name
            assert f"| `{name}` |" in recipe_file.reference()
    json.dumps(schema)


def test_network_families_are_those_of_transformers() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING_NAMES

    # these two have no lm_head and count frames in a way of their own
    assert set(MODEL_TYPES) == set(MODEL_FOR_CTC_MAPPING_NAMES) - {
        "parakeet_ctc",
        "lasr_ctc",
        "granite_speech5_ctc",
    } | {"deepspeech2"}


def test_a_broken_recipe_is_told_before_anything_heavy_is_imported(here: Path) -> None:
    Path("r.yaml").write_text(GOOD.replace("base", "openai/whisper-nano") + "  max_steps: ten\n")
    code = (
        "import sys, time; began = time.process_time()\n"
        "from hf_asr.recipe import file as recipe_file\n"
        "try: recipe_file.load('r.yaml')\n"
        "except Exception as error: print(len(error.problems))\n"
        "print(time.process_time() - began)\n"
        "print([name for name in ('torch', 'transformers', 'numpy', 'datasets') if name in sys.modules])\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(here / "cache"), "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    count, seconds, heavy = run.stdout.splitlines()
    assert (count, heavy) == ("2", "[]")
    assert float(seconds) < 0.5  # 0.1 to 0.2 s on two idle cores


def test_the_readme_s_command_for_whisper_is_one_for_whisper() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"\n\.venv/bin/hf-asr finetune quickstart ([^`]*whisper[^`]*)```", readme)
    assert command is not None
    overrides = [word for word in command[1].split() if word not in ("--set", "\\")]
    recipe = recipe_file.load("quickstart", overrides, check_exists=False)
    # a language model goes with CTC alone, and a rate of 1e-4 breaks Whisper already (docs/log.md)
    assert recipe.decoding.lm is None and recipe.training.learning_rate <= 5e-5
    assert all(override in (ROOT / "recipes/quickstart.yaml").read_text(encoding="utf-8") for override in overrides[2:])
    assert overrides[0] == "model.checkpoint=openai/whisper-tiny.en"
    assert recipe.output != recipe_file.load("quickstart").output  # which ./scripts/quickstart has taken
