"""The journey on real speech, through the command line; and what it says to people who give it bad things."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from hf_asr import run
from hf_asr.cli import app
from hf_asr.errors import UserError
from hf_asr.recipe import Training
from hf_asr.training.precision import precision
from tests import small

PROMPTS = small.ROOT / "hf_asr" / "assets" / "prompts-en"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("journey")
    done = small.hf_asr(*small.command(small.write(folder), folder / "run", training__max_steps=4))
    assert done.returncode == 0, done.stderr
    assert "pipeline() on the saved folder: same text" in done.stdout
    return folder / "run"


def test_the_run_folder(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    whole = {run.RECIPE, run.ENVIRONMENT, run.DATA, run.LOG, run.PREDICTIONS, run.RESULTS, run.CARD, run.MODEL}
    assert names == whole | {run.REPORT, run.AUDIO}
    results, data = run.read_json(finished / run.RESULTS), run.read_json(finished / run.DATA)
    assert results["training"]["steps"] == 4
    assert results["parity"]["equal"] == results["parity"]["clips"] > 0
    sides = data["sides"]
    assert data["given"] == sum(side["clips"] for side in sides.values()) + len(data["left_out"])
    assert len(run.read_lines(finished / run.PREDICTIONS)) == sides["test"]["clips"]
    wer = results["systems"]["fine-tuned"]["contexts"]["pipeline"]["wer"]
    for page in (run.CARD, run.REPORT):
        assert f"{100 * wer:.1f}" in (finished / page).read_text()


def test_pipeline_in_a_process_without_hf_asr(finished: Path) -> None:
    clip = next((PROMPTS / "clips").iterdir())
    samples, _ = soundfile.read(clip, dtype="float32")
    # 48 to 16 kHz, roughly: only that it runs matters here
    done = small.plain_pipeline(finished / run.MODEL, samples[::3], finished.parent)
    assert done.returncode == 0, done.stderr


def test_evaluate_gives_the_same_numbers(finished: Path) -> None:
    recipe, output = finished / run.RECIPE, finished.parent / "hypotheses.jsonl"
    done = small.hf_asr(
        "-m", "hf_asr", "evaluate", str(finished / run.MODEL), "--recipe", str(recipe), "--output", str(output)
    )
    assert done.returncode == 0, done.stderr
    ours = {row["id"]: row["systems"]["fine-tuned"]["pipeline"] for row in run.read_lines(finished / run.PREDICTIONS)}
    assert {row["id"]: row["hypothesis"] for row in run.read_lines(output)} == ours
    told = run.read_json(finished / run.RESULTS)["systems"]["fine-tuned"]["contexts"]["pipeline"]
    assert f"WER {told['wer']:.1%}" in done.stdout


def test_transcribe_files(finished: Path, tmp_path: Path) -> None:
    clips = sorted((PROMPTS / "clips").iterdir())[:2]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF....")
    paths = [str(path) for path in (*clips, broken)]
    done = small.hf_asr("-m", "hf_asr", "transcribe", *paths, "--model", str(finished / run.MODEL), "--format", "json")
    assert done.returncode == 1  # one of them could not be read, which is told
    assert "broken.wav" in done.stderr
    assert "Traceback" not in done.stderr
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == paths[:2]


def clip(path: Path, seconds: float, seed: int = 0) -> None:
    noise = np.random.default_rng(seed).normal(scale=0.1, size=round(16_000 * seconds))
    soundfile.write(path, noise.astype(np.float32), 16_000)


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """40 good clips and five that cannot serve."""
    folder = tmp_path / "dirty"
    folder.mkdir()
    rows: list[tuple[str, bytes]] = []
    for number in range(40):
        clip(folder / f"good{number}.wav", 1.0 + number / 40, number)
        rows.append((f"good{number}.wav", f"clip number {number}".encode()))
    for name, seconds, text in (
        ("truncated.wav", 2.0, b"cut short"),
        ("empty.wav", 1.0, b""),
        ("short.wav", 0.05, b"hi"),
        ("crowded.wav", 0.3, b"clip number " * 8),
        ("latin.wav", 1.0, "café".encode("latin-1")),
    ):
        clip(folder / name, seconds)
        rows.append((name, text.strip()))
    (folder / "truncated.wav").write_bytes((folder / "truncated.wav").read_bytes()[:9000])
    table = b"".join(name.encode() + b"," + text + b"\n" for name, text in rows)
    (folder / "metadata.csv").write_bytes(b"file_name,text\n" + table)
    return folder


def test_a_dirty_folder_trains_and_every_loss_is_listed(dirty: Path, tmp_path: Path) -> None:
    settings = {"data__sources": f"[{{path: {dirty}}}]", "training__max_steps": 2, "data__splits__seed": 3}
    done = small.hf_asr(*small.command(small.write(tmp_path), tmp_path / "run", **settings))
    assert done.returncode == 0, done.stderr
    data = run.read_json(tmp_path / "run" / run.DATA)
    reasons = {one["id"]: one["reason"] for one in data["left_out"]}
    expected = {"truncated": "unreadable", "empty": "empty transcript", "short": "too short", "latin": "not UTF-8"}
    assert {name.removesuffix(".wav"): reason for name, reason in reasons.items()}.items() >= expected.items()
    # a clip that no alignment can serve is lost to training only
    crowded = {name for name, reason in reasons.items() if reason == "not alignable"}
    assert len(crowded) == 1 or any("not alignable" in warning for warning in data["warnings"])
    assert data["given"] == 45 == sum(side["clips"] for side in data["sides"].values()) + len(reasons)


def damaged(path: Path) -> None:
    """A second of noise whose FLAC has its header and its end, and nothing in between."""
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(16_000), 16_000)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 4 : len(whole) // 2] = bytes(len(whole) // 2 - len(whole) // 4)
    path.write_bytes(whole)


def test_a_run_of_an_older_version_goes_on_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    sides = []
    for side in ("train", "validation", "test"):
        folder = tmp_path / side
        folder.mkdir()
        rows = [("file_name", "text"), *((f"{side}{number}.flac", f"{side} a b") for number in range(4))]
        for name, _ in rows[1:]:
            clip(folder / name, 1.0)
        damaged(folder / f"{side}0.flac")
        with (folder / "metadata.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        sides.append(f"{{path: {folder}, use: {side}}}")
    settings = {"data__sources": f"[{', '.join(sides)}]", "training__max_steps": 2, "training__evaluate_every": 1}
    command = small.command(small.write(tmp_path), tmp_path / "run", **settings)
    shown = small.hf_asr("-m", "hf_asr", "recipe", "show", *command[3:])
    assert shown.returncode == 0, shown.stderr
    before = [line for line in shown.stdout.splitlines() if not line.strip().startswith("optimizer:")]
    assert len(before) < len(shown.stdout.splitlines())
    other = {"bf16": "float32", "float32": "bf16"}[precision(Training(max_steps=2), "ctc")]
    run.write(tmp_path / "run" / run.RECIPE, "\n".join(before) + "\n")
    run.write_json(tmp_path / "run" / run.ENVIRONMENT, {**run.environment(other), "python": "3.0"})
    done = small.hf_asr(*command)
    assert done.returncode == 0, done.stderr
    results = run.read_json(tmp_path / "run" / run.RESULTS)
    assert results["training"]["precision"] == other
    assert run.read_json(tmp_path / "run" / run.ENVIRONMENT)["python"] == "3.0"
    assert results["training"]["unreadable"] == ["train0"]
    assert results["parity"]["clips"] == 3
    # killed between the last measurement and the card
    (tmp_path / "run" / run.CARD).unlink()
    (tmp_path / "run" / run.CHECKPOINTS).mkdir()
    again = small.hf_asr(*command)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run" / run.CARD).exists() and not (tmp_path / "run" / run.CHECKPOINTS).exists()


def test_what_is_wrong_with_the_baseline_is_told_before_training(tmp_path: Path) -> None:
    settings = {"baseline": "{units: {kind: subword, size: 9}}"}
    done = small.hf_asr(*small.command(small.write(tmp_path), tmp_path / "run", **settings))
    assert done.returncode == 2
    assert "units" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "run" / run.LOG).exists()


def test_nothing_usable_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "useless"
    folder.mkdir()
    clip(folder / "short.wav", 0.02)
    clip(folder / "empty.wav", 1.0)
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file_name", "text"), ("short.wav", "hi"), ("empty.wav", "")])
    settings = {"data__sources": f"[{{path: {folder}}}]"}
    done = small.hf_asr(*small.command(small.write(tmp_path), tmp_path / "run", **settings))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "too short" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_prints_what_will_happen(tmp_path: Path) -> None:
    done = small.hf_asr("-m", "hf_asr", "check", str(small.write(tmp_path)))
    assert done.returncode == 0, done.stderr
    for words in ("left out: too long", "characters in train", "a new head", "24 steps", "GiB"):
        assert words in done.stdout, words
    assert "more: data.json of the run lists each" in " ".join(done.stdout.split())
    assert not (small.ROOT / "runs" / "small").exists()


def test_check_tells_that_what_is_taught_counts_as_wrong(tmp_path: Path) -> None:
    done = small.hf_asr("-m", "hf_asr", "check", str(small.write(tmp_path)), "--set", "metric={case: keep}")
    told = " ".join(done.stdout.split())
    assert "transcripts of validation and test read otherwise under `text` than under `metric`" in told
    assert "counts as wrong: give `metric` the steps of `text`" in told


def test_check_tells_that_the_folder_is_taken(finished: Path, tmp_path: Path) -> None:
    done = small.hf_asr("-m", "hf_asr", "check", str(small.write(tmp_path)), "--set", f"output={finished}")
    assert done.returncode == 2
    assert "characters in train" in done.stdout and "finished run" in done.stderr


def test_all_recipe_errors_at_once(tmp_path: Path) -> None:
    recipe = small.write(tmp_path)
    arguments = small.command(recipe, tmp_path / "run", training__learning_rate="fast", data__colour="red", seed=-1)
    done = small.hf_asr(*arguments)
    assert done.returncode == 2
    assert "has 3 problems" in done.stderr
    assert "expected a number, got 'fast'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_comes_without_torch() -> None:
    code = "import sys; sys.argv = ['hf-asr', '--help']\nimport hf_asr.cli\n"
    code += "try: hf_asr.cli.main()\nexcept SystemExit: pass\n"
    done = small.hf_asr(
        "-c", code + "print('HEAVY', [m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    )
    assert done.returncode == 0, done.stderr
    assert "finetune" in done.stdout
    assert "HEAVY []" in done.stdout


def test_two_sources_of_truth_are_refused() -> None:
    done = small.hf_asr("-m", "hf_asr", "evaluate", "somewhere", "--recipe", "a", "--data", "b")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("--data", "somewhere", "--set", "metric.case=keep"), "--set changes a recipe"),
        (("--recipe", "quickstart", "--split", "test"), "--split goes with --data"),
        (("--recipe", "quickstart", "--language", "de"), "--language goes with --data"),
        (("--recipe", "quickstart", "--data", "somewhere"), "either --recipe"),
    ],
)
def test_evaluate_passes_over_nothing(asked: tuple[str, ...], told: str) -> None:
    done = CliRunner().invoke(app, ["evaluate", "embedded:micro", *asked])
    assert isinstance(done.exception, UserError)
    assert told in str(done.exception)
