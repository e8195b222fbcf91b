"""report.html as text: what it says, that it asks nobody for anything, and that transcripts stay text."""

import base64
import hashlib
import json
import math
import random
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jiwer
import pytest

from hf_asr import run
from hf_asr.recipe import file as recipe_file
from hf_asr.report import clips, figures, page, words
from tests.report import folder as made
from tests.report.hostile import HOSTILE, hostile


class Reader(HTMLParser):
    """Tags with their attributes, and the text of each <script> and <style>."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.raw.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style") and self.raw and self.cdata_elem:
            self.raw[-1] = (self.raw[-1][0], self.raw[-1][1] + data)
        else:
            self.texts.append(data)

    @property
    def shown(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def island(self) -> Any:
        return json.loads(next(text for tag, text in self.raw if tag == "script" and text.startswith("{")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.write(tmp_path_factory.mktemp("runs") / "finished", made.prompts(60), audio=5)


def results(system: float, other: float | None, verdict: str, against: str = "zero-shot") -> dict[str, Any]:
    def row(wer: float) -> dict[str, Any]:
        return {"contexts": {"pipeline": {"wer": wer, "wer_low": wer - 0.01, "wer_high": wer + 0.01}}}

    found: dict[str, Any] = {"systems": {"fine-tuned": row(system)}}
    if other is not None:
        found["systems"][against] = row(other)
        found["comparisons"] = [
            {"system": "fine-tuned", "against": against, "context": context, "verdict": verdict, "p_value": 0.002}
            | {"difference": system - other, "low": system - other - 0.03, "high": system - other + 0.03}
            for context in ("own length", "pipeline")
        ]
        found["comparisons"][0] |= {"difference": 0.5, "p_value": 0.9}  # the pipeline's is the one that counts
    return found


@pytest.mark.parametrize(
    ("found", "tone", "said"),
    [
        (results(0.024, 0.075, "better"), "better", "from 7.5 % to 2.4 % (−5.1 points, 95 % interval −8.1 to −2.1)"),
        (results(0.024, 0.075, "better"), "better", "better, p = 0.002."),
        (results(0.09, 0.03, "worse"), "worse", "rose from 3.0 % to 9.0 % (+6.0 points, 95 % interval +3.0 to +9.0)"),
        (results(0.07, 0.075, "no evidence of a difference"), "same", "went from 7.5 % to 7.0 %"),
        (results(0.07, 0.075, "no evidence of a difference"), "same", "no evidence of a difference, p = 0.002."),
        (results(0.1, 0.5, "better", "baseline"), "better", "is 10.0 %, that of the network trained from scratch 50"),
        (results(0.1, None, ""), "none", "is 10.0 % (95 % interval 9.0 to 11.0 %); no WER from before"),
    ],
)  # fmt: skip
def test_the_verdict_is_one_sentence(found: Any, tone: str, said: str) -> None:
    sentence, told = words.verdict(found)
    assert told == tone
    assert said in sentence.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/srv/secret/voices", "…/voices"),
        ("/srv/secret people/voices", "…/voices"),
        ("~/voices", "…/voices"),
        ("/home/someone", "…/folder"),
        ("C:\\Users\\someone\\voices", "…/voices"),
        ("weights of /srv/secret/tiny.en, its own tokens", "weights of …/tiny.en, its own tokens"),
        ("openai/whisper-tiny.en", "openai/whisper-tiny.en"),
        ("recordings/mine", "recordings/mine"),
        ("embedded:prompts-en", "embedded:prompts-en"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("words and/or silence, 3 / 4", "words and/or silence, 3 / 4"),
        ("/", "/"),
        ("", ""),
    ],
)
def test_folders_of_a_machine_are_cut(given: str, kept: str) -> None:
    assert words.without_folders({"a": [given]}) == {"a": [kept]}


@pytest.mark.parametrize(
    ("said", "heard", "ops", "other"),
    [
        ("a b c", "a b c", "", ""),
        ("a b c", "a x c", "=s=", "x"),
        ("a b c", "a c", "=d=", ""),
        ("a c", "a b c", "=i=", "b"),
        ("a", "", "d", ""),
        ("", "a b", "ii", "a b"),
        ("", "", "", ""),
        ("four score and seven", "for score seven", "s=d=", "for"),
    ],
)
def test_alignments_worked_out_by_hand(said: str, heard: str, ops: str, other: str) -> None:
    assert clips.align(said, heard) == (ops, other)


def test_alignments_lead_back_to_the_hypothesis_and_count_as_jiwer_does() -> None:
    chance = random.Random(0)
    for _ in range(300):
        said, heard = (" ".join(chance.choices("abcde", k=chance.randint(1, 9))) for _ in range(2))
        ops, other = clips.align(said, heard)
        reference, new, back = iter(said.split()), iter(other.split()), []
        for op in ops or "=" * len(said.split()):
            word = next(reference) if op != "i" else ""
            back += [word] if op == "=" else [next(new)] if op in "si" else []
        assert " ".join(back) == heard
        counted = jiwer.process_words(said, heard)
        assert sum(op != "=" for op in ops) == counted.substitutions + counted.deletions + counted.insertions


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0, 0.076, [0, 0.02, 0.04, 0.06]), (0, 300, [0, 100, 200, 300]), (2, 2, [2])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert figures.ticks(low, high) == pytest.approx(expected)


def test_a_long_curve_is_thinned_to_means() -> None:
    points = [(float(n), float(n % 2)) for n in range(50_000)]
    thinned = figures.thin(points)
    assert len(thinned) == figures.MOST
    assert all(y == pytest.approx(0.5) for _, y in thinned)
    assert [x for x, _ in thinned] == sorted(x for x, _ in thinned)
    assert figures.thin(points[:1000]) == points[:1000]


def test_a_loss_that_is_no_number_leaves_a_gap_and_is_told() -> None:
    log = [{"step": n, "loss": math.nan if n in (3, 4) else 2.0 / n} for n in range(1, 8)]
    drawn = figures.loss_plot(log)
    assert drawn is not None
    assert drawn.lines[0].path.count("M") == 2
    assert drawn.notes == ["2 of 7 logged steps had a loss that is no number"]
    assert "nan" not in str(drawn)


@pytest.mark.parametrize(("last", "unit"), [(2.0, "loss"), (0.01, "loss, log scale")])
def test_a_loss_that_falls_far_is_drawn_on_a_log_scale(last: float, unit: str) -> None:
    drawn = figures.loss_plot([{"step": 1, "loss": 3.0}, {"step": 2, "loss": last}])
    assert drawn is not None
    assert drawn.unit == unit
    assert all(0 <= tick.at <= 100 for tick in drawn.x_ticks + drawn.y_ticks)


def test_the_kept_look_is_marked_and_high_rates_are_capped() -> None:
    drawn = figures.validation_plot([{"step": 5, "eval_wer": 9.0, "eval_cer": 4.0}, {"step": 10, "eval_wer": 0.3}], 10)
    assert drawn is not None
    assert [dot.best for dot in drawn.dots] == [False, True]
    assert drawn.notes == ["what is above 120% is drawn at 120%"]
    assert all(0 <= dot.y <= 100 for dot in drawn.dots)


def test_every_number_of_the_table_is_there(finished: Path) -> None:
    found = run.read_json(finished / run.RESULTS)
    shown = Reader(page.build(finished)).shown.replace("\u00a0", " ")
    for system in found["systems"].values():
        for row in system["contexts"].values():
            assert f"{100 * row['wer']:.1f} %" in shown
            assert f"{100 * row['wer_low']:.1f} to {100 * row['wer_high']:.1f} %" in shown
    for text in ("37.8 M", "0.031", "151 MB", "5.9", found["normaliser"], "19 of 20 clips", "librispeech", "music"):
        assert text in shown, text
    assert words.verdict(found)[0].replace("\u00a0", " ") in shown
    assert "left out: too long" in shown
    assert "evaluate_every: 6" in shown


def test_the_island_holds_every_clip_and_the_worst_recordings(finished: Path) -> None:
    island = Reader(page.build(finished, worst=3)).island()
    rows = run.read_lines(finished / run.PREDICTIONS)
    assert island["id"] == [row["id"] for row in rows]
    assert island["transcript"] == [row["transcript"] for row in rows]
    assert island["facts"]["loudness"] == [row["facts"]["loudness"] for row in rows]
    pairs = zip(island["id"], island["ops"]["fine-tuned"], strict=True)
    errors = {name: sum(op != "=" for op in ops) for name, ops in pairs}
    assert len(island["audio"]) == 3
    assert min(errors[name] for name in island["audio"]) >= sorted(errors.values())[-3]
    index = run.read_json(finished / "audio" / "index.json")
    for name, uri in island["audio"].items():
        kind, data = uri.split(",", 1)
        assert kind == "data:audio/ogg;base64"
        assert base64.b64decode(data) == (finished / "audio" / index[name]).read_bytes()
    counted = {name: sum(sum(op != "=" for op in ops) for ops in column) for name, column in island["ops"].items()}
    for name, system in run.read_json(finished / run.RESULTS)["systems"].items():
        row = system["contexts"]["pipeline"]
        assert counted[name] == row["substitutions"] + row["deletions"] + row["insertions"]


def test_no_audio_on_demand_or_without_recordings(finished: Path) -> None:
    without = page.build(finished, audio=False)
    assert "data:audio" not in without
    assert "left out on demand" in without
    assert "data:audio" not in page.build(finished, worst=0)
    assert len(without) < 200_000


def test_an_index_names_no_file_elsewhere(tmp_path: Path) -> None:
    folder = made.write(tmp_path / "run", made.prompts(3), audio=1)
    (tmp_path / "run" / "private.ogg").write_bytes(b"private")
    names = [row["id"] for row in run.read_lines(folder / run.PREDICTIONS)]
    run.write_json(folder / "audio" / "index.json", dict.fromkeys(names, "../private.ogg"))
    assert Reader(page.build(folder)).island()["audio"] == {}


@pytest.fixture(scope="module")
def hacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = made.write(tmp_path_factory.mktemp("runs") / "hacked", made.prompts(20), change=hostile)
    rows = (folder / run.PREDICTIONS).read_text(encoding="utf-8")
    run.write(folder / run.PREDICTIONS, rows.replace("HALF", "\\ud83d"))  # half a surrogate pair: JSON can say it
    return folder


def test_hostile_texts_stay_texts(hacked: Path, finished: Path) -> None:
    text = page.build(hacked)
    read, harmless = Reader(text), Reader(page.build(finished))
    assert {tag for tag, _ in read.tags} <= {tag for tag, _ in harmless.tags}
    assert [tag for tag, _ in read.raw] == [tag for tag, _ in harmless.raw] == ["style", "script", "script"]
    assert {name for _, attributes in read.tags for name in attributes if name.startswith("on")} == set()
    island = read.island()
    assert island["transcript"][0] == HOSTILE[0]
    assert island["transcript"][4] == HOSTILE[4]
    assert island["transcript"][6] == "half a pair ? here"
    raw = next(text for tag, text in read.raw if tag == "script" and text.startswith("{"))
    assert not set("<>&\u2028\u2029\x00") & set(raw)
    text.encode()  # half a surrogate pair would not


def test_only_our_script_may_run_and_nothing_is_asked_for(finished: Path) -> None:
    read = Reader(page.build(finished))
    policy = next(a["content"] for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    for tag, text in read.raw:
        if not text.startswith("{"):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy
    for tag, attributes in read.tags:
        assert not {"style", "srcset", "action", "formaction", "background", "poster"} & set(attributes), tag
        for name in ("src", "href", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    assert not re.search(r"@import|url\(|innerHTML|insertAdjacent|eval\(|fetch\(", page.build(finished, audio=False))


@pytest.mark.parametrize(
    "part", ["slices", "confusions", "probes", "guards", "timestamps", "comparisons", "parity", "training", "language"]
)
@pytest.mark.parametrize("how", ["left out", "empty"])
def test_a_part_may_be_missing(finished: Path, tmp_path: Path, part: str, how: str) -> None:
    found = run.read_json(finished / run.RESULTS)
    if how == "empty":
        found[part] = type(found[part])()
    else:
        del found[part]
    for name in (run.RECIPE, run.DATA, run.LOG, run.PREDICTIONS):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    run.write_json(tmp_path / run.RESULTS, found)
    text = page.build(tmp_path)
    assert '<h2 id="clips">' in text
    assert f'<h2 id="{part}">' not in text


@pytest.mark.parametrize("name", [run.DATA, run.LOG, run.PREDICTIONS, run.ENVIRONMENT])
def test_a_file_may_be_missing(finished: Path, tmp_path: Path, name: str) -> None:
    for other in {run.RECIPE, run.RESULTS, run.DATA, run.LOG, run.PREDICTIONS, run.ENVIRONMENT} - {name}:
        (tmp_path / other).write_bytes((finished / other).read_bytes())
    assert '<h2 id="results">' in page.build(tmp_path)


def test_only_one_system(tmp_path: Path) -> None:
    def alone(results: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        for tree in (results, *rows, *results["slices"]):
            tree["systems"] = {"fine-tuned": tree["systems"]["fine-tuned"]}
        results |= {"comparisons": [], "guards": [], "probes": []}

    read = Reader(page.build(made.write(tmp_path / "run", made.prompts(10), change=alone)))
    assert "there was no head of its own" in read.shown
    assert list(read.island()["ops"]) == ["fine-tuned"]


def test_what_is_no_number_is_a_dash(tmp_path: Path) -> None:
    def broken(results: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        for row in results["slices"]:
            row["systems"]["zero-shot"] |= {"wer": math.nan, "wer_low": None}
            row["systems"]["fine-tuned"] |= {"wer_high": math.nan}
        results["systems"]["baseline"]["contexts"]["pipeline"] |= {"wer": math.nan, "real_time_factor": None}
        rows[0] |= {"seconds": math.nan, "speaker": None, "facts": {"loudness": -math.inf}}

    text = page.build(made.write(tmp_path / "run", made.prompts(10), change=broken))
    assert not re.search(
        r"\bnan\b|\binf\b|NaN|Infinity", re.sub(r"<pre.*?</pre>|<script.*</script>", "", text, flags=re.S)
    )
    assert Reader(text).island()["seconds"][0] is None


def test_an_unfinished_run_shows_how_far_it_is(tmp_path: Path) -> None:
    folder = made.unfinished(tmp_path / "run", steps=120)
    (folder / run.ENVIRONMENT).unlink()
    read = Reader(page.build(folder))
    when = time.strftime(
        "%H:%M", time.localtime((folder / run.ENVIRONMENT.replace("environment.json", run.LOG)).stat().st_mtime)
    )
    assert f"training, step 120 of 400 , updated {when}".replace(" ,", ",") in read.shown.replace(" ,", ",")
    assert "Validation WER, latest" in read.shown
    assert {"curves", "data", "run"} == {attributes.get("id") for tag, attributes in read.tags if tag == "h2"}
    assert not [a for _, a in read.tags if a.get("http-equiv") == "refresh"]


def test_a_run_that_has_only_begun(tmp_path: Path) -> None:
    folder = made.unfinished(tmp_path / "run")
    for name in (run.LOG, run.DATA, run.ENVIRONMENT):
        (folder / name).unlink()
    assert "preparing, step 0" in Reader(page.build(folder)).shown


def test_a_baseline_in_training_is_what_is_told(tmp_path: Path) -> None:
    folder = made.unfinished(tmp_path / "run")
    (folder / run.BASELINE).mkdir()
    run.write_lines(folder / run.BASELINE / run.LOG, made.log(40, every=10))
    shown = Reader(page.build(folder)).shown
    assert "training the baseline, step 40" in shown
    assert "The network from scratch" in shown


def test_a_watched_run_reloads_until_it_is_finished(tmp_path: Path, finished: Path) -> None:
    folder = made.unfinished(tmp_path / "run")
    pages = []
    for path in page.watch(folder, pause=0.01):
        pages.append(path.read_text(encoding="utf-8"))
        if len(pages) == 2:
            for name in (run.PREDICTIONS, run.RESULTS):
                (folder / name).write_bytes((finished / name).read_bytes())
        assert len(pages) < 4
    again = ['http-equiv="refresh" content="15"' in text for text in pages]
    assert again == [True, True, False]
    assert '<h2 id="results">' in pages[-1]


def test_room_is_kept_for_clips_then_recordings_then_texts_as_written(finished: Path) -> None:
    recipe, rows = recipe_file.load(str(finished)), run.read_lines(finished / run.PREDICTIONS)
    systems = ["zero-shot", "fine-tuned", "baseline"]
    sizes = {}
    for room in (2_000_000, 200_000, 45_000, 10_000):
        found = clips.island(finished, rows, recipe, systems, 5, room)
        assert len(found.json.encode()) <= room
        sizes[room] = (found.clips, found.recordings, found.written)
    assert sizes[2_000_000] == (60, 5, True)
    assert sizes[200_000][0] == 60
    assert 0 < sizes[200_000][1] < 5
    assert 10 < sizes[10_000][0] < 60
    kept = json.loads(clips.island(finished, rows, recipe, systems, 0, 10_000).json)
    everything = json.loads(clips.island(finished, rows, recipe, systems, 0, 2_000_000).json)
    fewest = min(len(ops.replace("=", "")) for ops in kept["ops"]["fine-tuned"])
    missing = set(everything["id"]) - set(kept["id"])
    errors = dict(zip(everything["id"], everything["ops"]["fine-tuned"], strict=True))
    assert max(len(errors[name].replace("=", "")) for name in missing) <= fewest


def test_a_page_for_others_names_no_clip_and_no_speaker(finished: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(finished, tmp_path / "run")
    rows = run.read_lines(folder / run.PREDICTIONS)
    rows = [row | {"speaker": f"Jane Doe {number % 7}"} for number, row in enumerate(rows)]
    run.write(folder / run.PREDICTIONS, "".join(json.dumps(row) + "\n" for row in rows))
    results, data = run.read_json(folder / run.RESULTS), run.read_json(folder / run.DATA)
    results["parity"] = {"clips": 2, "equal": 1, "differing": [[rows[3]["id"], "one", "two"]]}
    one = {"by": "speaker", "slice": "Jane Doe 4", "clips": 1, "words": 9, "seconds": 3.0, "systems": {}}
    results["slices"] = [*(results.get("slices") or []), one]
    data["warnings"] = ["2 speakers are in test and in train (Jane Doe 1, Jane Doe 2)"]
    data["left_out"] = [{"id": "Jane/Doe", "reason": "too long", "detail": "Jane Doe's", "seconds": 31.0}]
    run.write_json(folder / run.RESULTS, results)
    run.write_json(folder / run.DATA, data)
    assert "Jane" in page.build(folder)
    text = page.build(folder, named=False)
    assert "Jane" not in text
    assert not [row["id"] for row in rows if f'"{row["id"]}"' in text or f">{row['id']}<" in text]
    island = Reader(text).island()
    assert island["id"][0] == "clip 1"
    assert island["speaker"][4] == "speaker 1"  # as the card numbers its slices
    assert len(island["audio"]) == len(Reader(page.build(folder)).island()["audio"]) > 0
    assert set(island["audio"]) <= set(island["id"])
    assert "<bdi>clip 4</bdi>" in text


def test_worst_clips_that_are_the_longest_find_no_more_room_than_there_is(finished: Path) -> None:
    recipe, rows = recipe_file.load(str(finished)), run.read_lines(finished / run.PREDICTIONS)
    long = " ".join(f"word{n}" for n in range(300))
    wrong = {name: {"pipeline": "something else"} for name in rows[0]["systems"]}
    some = [row | {"id": f"long-{n}", "reference": long, "systems": wrong} for n, row in enumerate(rows[:20])]
    found = clips.island(finished, [*some, *rows], recipe, list(wrong), 0, 45_000)
    assert len(found.json.encode()) <= 45_000
    assert 5 < found.clips < 20
    assert set(json.loads(found.json)["id"]) == {f"long-{n}" for n in range(found.clips)}


def test_scripts_without_spaces_are_compared_by_characters(tmp_path: Path) -> None:
    clips_ = [(f"zh-{n}", "今天天气很好", 2.0) for n in range(6)] + [("th", "วันนี้ดี", 2.0)]
    read = Reader(page.build(made.write(tmp_path / "run", clips_, language="zh")))
    assert read.island()["reference"][0] == "今 天 天 气 很 好"
    assert read.island()["reference"][-1].split()[0] == "วั"  # a letter with its vowel
    assert "by characters" in read.shown


def test_no_folder_of_a_machine_is_told(tmp_path: Path) -> None:
    def local(results: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        results["systems"]["fine-tuned"]["about"] = "weights of /srv/jane-doe/tiny.en, its own tokens"

    folder = made.write(tmp_path / "run", made.prompts(5), change=local)
    recipe = (folder / run.RECIPE).read_text(encoding="utf-8")
    changed = re.sub("(?m)^output: .*$", "output: /srv/jane-doe/runs/mine", recipe)
    changed = changed.replace("folder: null", "folder: /srv/jane-doe/noises")
    (folder / run.RECIPE).write_text(changed, encoding="utf-8")
    text = page.build(folder)
    assert "jane-doe" not in text
    assert str(tmp_path) not in text
    assert "…/mine" in text


def test_folders_that_hold_no_run_of_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(run.RunError, match="is no run folder: give the one"):
        page.write(tmp_path)
    folder = made.unfinished(tmp_path / "old")
    run.write_json(folder / run.RESULTS, {"zero_shot": {}, "fine_tuned": {}})
    with pytest.raises(run.RunError, match="of an older version"):
        page.write(folder)


@pytest.mark.slow
def test_five_thousand_clips_take_three_seconds_at_most(tmp_path: Path) -> None:
    folder = made.write(tmp_path / "run", made.prompts(5000), audio=20, steps=20_000)
    began = time.process_time()  # not the clock on the wall: others may work on this machine
    path = page.write(folder)
    assert time.process_time() - began < 3
    assert path.stat().st_size < page.LIMIT
    assert len(Reader(path.read_text(encoding="utf-8")).island()["id"]) == 5000
