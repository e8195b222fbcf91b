"""Networks that write a or b whatever they hear: between them the switch is in the middle, and every WER is known."""

from pathlib import Path

import pytest

from hf_asr import recipe
from hf_asr.data.tables import DataError
from hf_asr.evaluation.metrics import score
from hf_asr.evaluation.weights import WEIGHTS, Tried, best, try_on_data, try_on_recipe
from hf_asr.models import checkpoints
from hf_asr.models.recogniser import CheckpointError
from tests.evaluation import rigged
from tests.evaluation.test_guards import folder

RECIPE = """
language: en
data:
  sources:
    - {{path: {train}, use: train}}
    - {{path: {validation}, use: validation}}
    - {{path: {test}, use: test}}
model: {{checkpoint: {a}}}
training: {{epochs: 1}}
"""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    for unit in "ab":
        checkpoints.save(rigged.recogniser(unit), tmp_path / unit, beams=1)
    return str(tmp_path / "a"), str(tmp_path / "b")


def test_the_weight_is_chosen_on_validation_and_test_is_not_looked_at(pair: tuple[str, str], tmp_path: Path) -> None:
    train = folder(tmp_path / "train", ["other", "words"])
    validation = folder(tmp_path / "validation", ["b"] * 7 + ["a"] * 3)
    test = folder(tmp_path / "test", ["c"] * 4, 0.7)
    recipe_file = tmp_path / "r.yaml"
    recipe_file.write_text(RECIPE.format(train=train, validation=validation, test=test, a=pair[0]))
    found = try_on_recipe(*pair, str(recipe_file), (), tmp_path / "new" / "out", (0.0, 0.4, 0.6, 0.8, 1.0))
    assert [(one.weight, one.score.wer) for one in found] == [(0, 0.7), (0.4, 0.7), (0.6, 0.3), (0.8, 0.3), (1, 0.3)]
    assert {one.score.utterances for one in found} == {10}
    assert best(found).weight == 0.6  # of equals the one nearest to A
    assert list((tmp_path / "new").iterdir()) == []
    folder(test, ["c c c c"] * 9, 0.9)
    assert try_on_recipe(*pair, str(recipe_file), (), tmp_path / "new" / "out", (0.0, 1.0)) == (found[0], found[-1])


def test_all_clips_of_a_folder(pair: tuple[str, str], tmp_path: Path) -> None:
    data = folder(tmp_path / "data", ["a"] * 5 + ["b"])
    found = try_on_data(*pair, str(data), "en", tmp_path / "out", (0.0, 1.0))
    assert [(one.weight, one.score.words, one.score.substitutions) for one in found] == [(0, 6, 1), (1, 6, 5)]
    assert best(found).weight == 0
    with pytest.raises(CheckpointError, match="is there already"):  # before anything is tried
        try_on_data(*pair, str(data), "en", data)


def test_a_recipe_without_validation(pair: tuple[str, str], tmp_path: Path) -> None:
    text = RECIPE.format(
        train=folder(tmp_path / "train", ["a", "b"]), validation="", test=tmp_path / "train", a=pair[0]
    )
    text = "\n".join(line for line in text.splitlines() if "use: validation" not in line)
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(DataError, match="no validation clips"):
        try_on_recipe(*pair, str(tmp_path / "r.yaml"), ("data.sources.1.use=train",), tmp_path / "out")


def test_the_best_is_by_wer_then_cer_then_nearest_to_a() -> None:
    def tried(weight: float, *heard: str) -> Tried:
        return Tried(weight, score(["one two", "three"], list(heard), resamples=10))

    worst, near, nearer = tried(0.0, "", ""), tried(0.9, "one twp", "three"), tried(0.2, "one xxx", "three")
    assert best([worst, nearer, near]) == near
    assert best([tried(0.7, "one two", "three"), tried(0.3, "one two", "three"), near]).weight == 0.3
    assert WEIGHTS == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@pytest.mark.slow
def test_a_whisper_is_heard_as_pipeline_hears_it(whisper_checkpoint: Path, tmp_path: Path) -> None:
    source = "path: 'embedded:prompts-en'"
    (tmp_path / "r.yaml").write_text(
        f"language: en\ndata: {{sources: [{{{source}, hours: 0.03}}, {{{source}, hours: 0.005, use: validation}}]}}\n"
        f"model: {{checkpoint: {whisper_checkpoint}}}\ntraining: {{epochs: 1}}\n"
    )
    model = str(whisper_checkpoint)
    (found,) = try_on_recipe(model, model, str(tmp_path / "r.yaml"), (), tmp_path / "new" / "out", (0.5,))
    assert found.score.wer < 0.5  # at the clips' own length it loops, to some 400 %
    assert recipe.Whisper().own_length
