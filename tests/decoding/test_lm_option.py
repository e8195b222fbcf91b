"""--lm: transcribe and evaluate read with a language model when they are asked to, and say so when they could."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hf_asr import run
from hf_asr.cli import app
from hf_asr.decoding.decoder import Decoder, Weights, asked, save
from hf_asr.decoding.kneser_ney import estimate
from hf_asr.decoding.ngram import LanguageModelError
from hf_asr.errors import UserError
from hf_asr.models import checkpoints
from hf_asr.recipe import Whisper
from tests import small

PROMPTS = small.ROOT / "hf_asr" / "assets" / "prompts-en"
SAID = {"en-vm-goodbye.ogg": "Goodbye.", "en-activated.ogg": "Activated."}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded network, and a search that hears zebras in everything."""
    folder = tmp_path_factory.mktemp("lm") / "model"
    recogniser = checkpoints.from_folder("embedded:micro", Whisper(), "en")
    checkpoints.save(recogniser, folder, beams=1)
    weights = Weights(alpha=0.5, beta=1.0, least=0.0, hotwords=("zebra",), hotword_bonus=100.0)
    save(Decoder(estimate(["a zebra"], 2).model, weights), recogniser, folder)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name in SAID:
        shutil.copy(PROMPTS / "clips" / name, folder)
    run.write(folder / "metadata.csv", "file_name,text\n" + "".join(f"{name},{text}\n" for name, text in SAID.items()))
    return folder


def command(*arguments: object) -> tuple[str, str]:
    """What a command prints, and what it says beside that."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout, done.stderr


def test_both_commands_read_the_same_with_it_and_something_else_without(model: Path, clips: Path) -> None:
    heard, output = {}, clips / "out.jsonl"
    for way in ((), ("--lm", model)):
        evaluated, _ = command("evaluate", model, "--data", clips, "--output", output, *way)
        heard[bool(way)] = {row["id"]: row["hypothesis"] for row in run.read_lines(output)}
        read, _ = command("transcribe", *(clips / name for name in SAID), "--model", model, *way)
        assert sorted(line.partition(": ")[2] for line in read.splitlines()) == sorted(heard[bool(way)].values())
        assert ("with the language model: WER" in evaluated) == bool(way) != ("pipeline: WER" in evaluated)
    assert all("zebra" in text for text in heard[True].values())
    assert not any("zebra" in text for text in heard[False].values())


def test_a_language_model_that_is_not_used_is_told_of_and_only_then(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(None, "embedded:micro") is None and asked(model, str(model)) is not None
    assert capsys.readouterr().err == ""
    assert asked(None, str(model)) is None
    assert f"--lm {model}" in capsys.readouterr().err


def test_a_folder_without_one_is_told_before_anything_is_read(model: Path, clips: Path) -> None:
    with pytest.raises(LanguageModelError, match="did you mean"):
        command("transcribe", clips / "no-such.wav", "--model", model, "--lm", model.parent)
    with pytest.raises(LanguageModelError, match="no language model was fitted there"):
        command("evaluate", model, "--data", clips / "no-such-folder", "--lm", clips)
    assert issubclass(LanguageModelError, UserError)
