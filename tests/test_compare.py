"""A run with a baseline, and `hf-asr compare`: the same numbers everywhere, and no comparison of different clips."""

import shutil
from pathlib import Path

import pytest

from hf_asr import run
from hf_asr.evaluation.comparison import compare_runs
from hf_asr.evaluation.results import read_system, row
from tests import small


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "run"
    baseline = "{from_scratch: same, training: {max_steps: 2, batch_seconds: 30}}"
    done = small.hf_asr(
        *small.command(small.write(folder.parent), folder, training__max_steps=3, baseline="{from_scratch: small}")
    )
    assert done.returncode == 0, done.stderr
    own = small.hf_asr(
        *small.command(
            folder.parent / "small.yaml",
            folder.parent / "tuned",
            training__max_steps=2,
            model__checkpoint=folder / "model",
            baseline=baseline,
        )
    )
    assert own.returncode == 0, own.stderr
    return folder


def test_the_baseline_is_a_run_of_its_own_on_the_same_split(compared: Path) -> None:
    results, own = run.read_json(compared / run.RESULTS), run.read_json(compared / run.BASELINE / run.RESULTS)
    assert list(results["systems"]) == ["fine-tuned", "baseline"]
    assert results["systems"]["baseline"] == own["systems"]["fine-tuned"]
    ours, theirs = (run.read_json(folder / run.DATA) for folder in (compared, compared / run.BASELINE))
    assert ours["checksum"] == theirs["checksum"]
    assert own["training"]["steps"] == 3
    (one,) = results["comparisons"]
    assert (one["system"], one["against"], one["context"]) == ("fine-tuned", "baseline", "pipeline")


def test_same_shape_and_own_budget(compared: Path) -> None:
    tuned = compared.parent / "tuned"
    results = run.read_json(tuned / run.RESULTS)
    assert list(results["systems"]) == ["zero-shot", "fine-tuned", "baseline"]
    sizes = {system["parameters"] for system in results["systems"].values()}
    assert len(sizes) == 1
    assert run.read_json(tuned / run.BASELINE / run.RESULTS)["training"]["steps"] == 2
    for line in run.read_lines(tuned / run.PREDICTIONS):
        assert list(line["systems"]) == ["zero-shot", "fine-tuned", "baseline"]


def test_a_system_read_back_has_the_numbers_of_the_run(compared: Path) -> None:
    told = run.read_json(compared / run.RESULTS)["systems"]["fine-tuned"]["contexts"]["pipeline"]
    assert row(read_system(compared).contexts["pipeline"]) == told


def test_compare_runs_and_a_model(compared: Path) -> None:
    tuned, output = compared.parent / "tuned", compared.parent / "comparison.md"
    done = small.hf_asr(
        *("-m", "hf_asr", "compare", str(tuned), str(compared), "--model", str(tuned / run.MODEL)),
        *("--output", str(output)),
    )
    assert done.returncode == 0, done.stderr
    found = compare_runs([tuned, compared])
    assert list(found.systems) == ["zero-shot", "tuned", "run", "baseline"]
    assert {one["against"] for one in found.comparisons} == {"zero-shot", "run", "baseline"}
    told = run.read_json(tuned / run.RESULTS)["systems"]
    assert found.systems["tuned"] == told["fine-tuned"]
    assert found.systems["baseline"] == told["baseline"]
    page = output.read_text()
    assert str(tuned / run.MODEL) in page
    for row_ in (told["zero-shot"], told["fine-tuned"]):
        assert f"{row_['contexts']['pipeline']['cer']:.1%}" in page
    assert "20 clips" in page or "7 of 7" in page


def test_language_models_are_compared_with_each_other(compared: Path, tmp_path: Path) -> None:
    for name, order in (("one", 2), ("two", 3)):
        done = small.hf_asr(
            *small.command(
                *(compared.parent / "small.yaml", tmp_path / name),
                training__max_steps=1,
                decoding__lm=f"{{order: {order}, alpha: 0.5, beta: 1}}",
            )
        )
        assert done.returncode == 0, done.stderr
    found = compare_runs([tmp_path / "one", compared, tmp_path / "two"])
    assert list(found.systems) == ["one", "run", "two", "one + LM", "two + LM"]
    pairs = [(each["system"], each["against"]) for each in found.comparisons]
    assert pairs == [("one", "run"), ("one", "two"), ("one + LM", "two + LM")]
    told = run.read_json(tmp_path / "two" / run.RESULTS)["systems"]["fine-tuned + LM"]
    assert found.systems["two + LM"] == told
    # the first has none: nothing to hold the other's against
    without = compare_runs([compared, tmp_path / "one"])
    assert "one + LM" in without.systems
    assert {each["against"] for each in without.comparisons} == {"one", "baseline"}


def test_a_run_named_baseline_is_not_taken_for_the_firsts_own(compared: Path) -> None:
    found = compare_runs([compared, compared / run.BASELINE])
    assert list(found.systems) == ["run", "baseline (2)", "baseline"]
    assert found.systems["baseline (2)"]["about"] != ""


def test_runs_on_different_clips_are_not_compared(compared: Path, tmp_path: Path) -> None:
    other = small.hf_asr(
        *small.command(compared.parent / "small.yaml", tmp_path / "other", training__max_steps=1, data__splits__seed=5)
    )
    assert other.returncode == 0, other.stderr
    with pytest.raises(run.RunError, match="say nothing about each other"):
        compare_runs([compared, tmp_path / "other"])


def test_what_is_no_finished_run_is_told(compared: Path, tmp_path: Path) -> None:
    with pytest.raises(run.RunError, match="no run folder"):
        compare_runs([compared, tmp_path])
    (tmp_path / run.RECIPE).write_text("")
    with pytest.raises(run.RunError, match="unfinished"):
        compare_runs([compared, tmp_path])
    pushed = shutil.copytree(compared, tmp_path / "pushed")
    (pushed / run.PREDICTIONS).unlink()
    with pytest.raises(run.RunError, match=r"has no predictions\.jsonl"):
        compare_runs([compared, pushed])


def test_whisper_has_no_baseline_of_its_own_shape(tmp_path: Path) -> None:
    done = small.hf_asr(*small.command(small.write(tmp_path), tmp_path / "run", baseline="{from_scratch: same}"))
    assert done.returncode == 2
    assert "the run itself is from scratch" in done.stderr
    assert not (tmp_path / "run" / run.CHECKPOINTS).exists()  # told before training
