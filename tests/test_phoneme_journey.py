"""A run in phonemes through the command line: a lexicon file, words it lacks, a language model, the saved folder."""

import csv
import json
from pathlib import Path

import pytest

from hf_asr import run
from hf_asr.recipe import Text
from hf_asr.text.normalise import normalise
from tests import small

pytestmark = pytest.mark.slow
PROMPTS = small.ROOT / "hf_asr" / "assets" / "prompts-en"
WITHOUT = ("please", "number")  # words that the lexicon lacks


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All words of the prompts but two, said as they are spelled."""
    with (PROMPTS / "metadata.csv").open(encoding="utf-8", newline="") as file:
        texts = [normalise(row["text"], Text(case="lower", punctuation="strip"), "en") for row in csv.DictReader(file)]
    words = sorted({*" ".join(texts).split(), "zebra"} - set(WITHOUT))
    path = tmp_path_factory.mktemp("lexicon") / "letters.dict"
    path.write_text(
        "".join(f"{word.upper()}  {' '.join(f'{letter}{letter}1' for letter in word.upper())}\n" for word in words)
    )
    return path


def settings(lexicon: Path) -> dict[str, object]:
    return {"units__kind": "phoneme", "units__lexicon": lexicon}


def test_check_tells_phonemes_and_words_without(lexicon: Path, tmp_path: Path) -> None:
    command = small.command(small.write(tmp_path), tmp_path / "run", **settings(lexicon))
    done = small.hf_asr(*(part if part != "finetune" else "check" for part in command))
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "phonemes; lexicon of" in told
    assert "words without a pronunciation: " in told and all(word in told for word in WITHOUT)
    assert "left out: words outside the lexicon" in told


@pytest.fixture(scope="module")
def finished(lexicon: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phonemes")
    (folder / "more.txt").write_text("the zebra is here\nthe quagga is here\n")
    brought = {"decoding__lm": f"{{order: 2, texts: [{folder / 'more.txt'}], alpha: 0.5, beta: 1.0}}"}
    options = {"training__max_steps": 4, "model__checkpoint": "embedded:micro"}
    done = small.hf_asr(*small.command(small.write(folder), folder / "run", **settings(lexicon), **brought, **options))
    assert done.returncode == 0, done.stderr
    assert "same text (its phonemes read through the lexicon)" in " ".join(done.stdout.split())
    return folder / "run"


def test_the_run_folder(finished: Path) -> None:
    results, data = run.read_json(finished / run.RESULTS), run.read_json(finished / run.DATA)
    assert list(results["systems"]) == ["zero-shot", "fine-tuned", "fine-tuned + LM"]
    assert "a new head" in results["systems"]["fine-tuned"]["about"]
    assert results["parity"]["equal"] == results["parity"]["clips"] > 0
    lost = [one for one in data["left_out"] if one["reason"] == "words outside the lexicon"]
    assert lost and all(set(one["detail"].split()) <= set(WITHOUT) for one in lost)
    (told,) = [warning for warning in data["warnings"] if "without a pronunciation" in warning]
    assert all(word in told for word in (*WITHOUT, "quagga"))
    kept = json.loads((finished / run.MODEL / "tokenizer_config.json").read_text())["lexicon"]
    assert "zebra\tZZ1 EE1 BB1 RR1 AA1" not in kept and "zebra\tZZ EE BB RR AA" in kept
    # what is written are words of the lexicon, nothing else
    words = {line.partition("\t")[0] for line in kept}
    for row in run.read_lines(finished / run.PREDICTIONS):
        for name in ("fine-tuned", "fine-tuned + LM"):
            assert set(row["systems"][name]["pipeline"].split()) <= words
    assert "pipeline()` writes these" in (finished / run.CARD).read_text()


@pytest.mark.parametrize("lm", [False, True])
def test_the_saved_folder_gives_the_same_words(finished: Path, lm: bool) -> None:
    model, output = finished / run.MODEL, finished.parent / "hypotheses.jsonl"
    arguments = ["--recipe", str(finished / run.RECIPE), "--output", str(output), *(["--lm", str(model)] if lm else [])]
    done = small.hf_asr("-m", "hf_asr", "evaluate", str(model), *arguments)
    assert done.returncode == 0, done.stderr
    name = "fine-tuned + LM" if lm else "fine-tuned"
    before = [row["systems"][name]["pipeline"] for row in run.read_lines(finished / run.PREDICTIONS)]
    assert [row["hypothesis"] for row in run.read_lines(output)] == before


def test_a_phoneme_model_is_trained_on(finished: Path, lexicon: Path) -> None:
    """Its own head where its lexicon has the words, a new one with what it knew for other units."""
    options = {"training__max_steps": 1, "model__checkpoint": finished / run.MODEL}
    recipe = finished.parent / "small.yaml"
    again = small.hf_asr(*small.command(recipe, finished.parent / "again", **settings(lexicon), **options))
    assert again.returncode == 0, again.stderr
    systems = run.read_json(finished.parent / "again" / run.RESULTS)["systems"]
    assert "known" in systems["fine-tuned"]["about"]
    first = run.read_json(finished / run.RESULTS)["systems"]["fine-tuned"]["contexts"]["pipeline"]
    assert systems["zero-shot"]["contexts"]["pipeline"]["wer"] == first["wer"]
