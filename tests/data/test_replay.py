"""Old data in training: its share of an epoch by arithmetic and by counting picks; nothing of a held-out side."""

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_asr.data.account import account
from hf_asr.data.audio import decode
from hf_asr.data.check import fits
from hf_asr.data.clips import COLUMNS, load_clips
from hf_asr.data.replay import balanced, with_replay
from hf_asr.data.splits import transcript_key
from hf_asr.data.tables import DataError
from hf_asr.recipe import Data, RecipeError, Replay, Source, Splits, Text
from hf_asr.recipe import file as recipe_file
from hf_asr.training.batches import Plan

LOWER = Text(case="lower", punctuation="strip")
SIDES = ("train", "validation", "test")


@pytest.fixture
def folder(tmp_path, record):
    """A folder of recordings: (file, transcript, speaker or None, seconds)."""

    def make(name, rows):
        lines = ["file_name,text,speaker"]
        for file, text, speaker, seconds in rows:
            record(tmp_path / name / file, seconds, seed=sum(name.encode()))
            lines.append(f"{file},{text},{speaker or ''}")
        (tmp_path / name / "metadata.csv").write_text("\n".join(lines) + "\n")
        return str(tmp_path / name)

    return make


@pytest.fixture
def new(folder):
    """Thirty clips of 1 s by six speakers."""
    return folder("new", [(f"{n}.wav", f"number {n}", f"s{n % 6}", 1.0) for n in range(30)])


@pytest.fixture
def old(folder):
    """Ten clips of 2 s by others, of other words."""
    return folder("old", [(f"{n}.wav", f"elder {n}", f"e{n % 3}", 2.0) for n in range(10)])


def load(new, *sources, share=0.25, **limits):
    data = Data(sources=[Source(path=new)], **limits)
    made = [source if isinstance(source, Source) else Source(path=source) for source in sources]
    replay = Replay(sources=made, share=share)
    return with_replay(load_clips(data, LOWER, "en"), replay, data, LOWER, "en"), replay


def share_of(clips):
    heard = np.array(clips.train["seconds"]) * np.array(clips.train["weight"])
    ours = np.array([identity in clips.old for identity in clips.train["id"]])
    return heard[ours].sum() / heard.sum()


def assert_adds_up(clips):
    assert clips.given == sum(len(getattr(clips, side)) for side in SIDES) + len(clips.left_out)
    told = account(clips)
    assert told["given"] == sum(side["clips"] for side in told["sides"].values()) + len(told["left_out"])
    hours = sum(side["hours"] for side in told["sides"].values()) + sum(one.seconds for one in clips.left_out) / 3600
    assert told["given_hours"] == pytest.approx(hours)
    ids = [identity for side in SIDES for identity in getattr(clips, side)["id"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.9])
def test_old_data_make_the_share_of_an_epoch(new, old, share):
    clips, _ = load(new, old, share=share)
    assert share_of(clips) == pytest.approx(share)
    fresh = [row for row in clips.train if row["id"] not in clips.old]
    assert {row["weight"] for row in fresh} == {1.0}
    # 10 clips of 2 s, all alike
    (weight,) = {row["weight"] for row in clips.train if row["id"] in clips.old}
    assert weight == pytest.approx(share / (1 - share) * len(fresh) / 20)
    told = account(clips)["replay"]
    assert told == {"clips": 10, "hours": pytest.approx(20 / 3600), "share_of_epoch": pytest.approx(share)}
    assert_adds_up(clips)


def test_the_epochs_that_are_planned_have_the_share(new, old):
    clips, _ = load(new, old, share=0.3)
    seconds = np.asarray(clips.train["seconds"])
    plan = Plan(seconds, np.asarray(clips.train["weight"]), batch_seconds=10, parts=1, seed=0)
    picked = Counter(pick.index for epoch in range(400) for step in plan.epoch(epoch) for pick in step)
    heard = {index: count * seconds[index] for index, count in picked.items()}
    ours = {index for index, identity in enumerate(clips.train["id"]) if identity in clips.old}
    assert sum(heard[index] for index in ours) / sum(heard.values()) == pytest.approx(0.3, abs=0.01)
    assert ours <= picked.keys()


def test_sources_keep_their_weights_among_themselves(new, old, folder):
    other = folder("other", [(f"{n}.wav", f"other {n}", None, 1.0) for n in range(5)])
    clips, _ = load(new, Source(path=old, weight=2), Source(path=other, weight=0.5))
    weights = dict(zip(clips.train["id"], clips.train["weight"], strict=True))
    assert weights["replay/0/0"] / weights["replay/1/0"] == pytest.approx(4)
    assert share_of(clips) == pytest.approx(0.25)


def test_validation_and_test_and_their_ids_are_those_without_replay(new, old):
    data = Data(sources=[Source(path=new)])
    plain = load_clips(data, LOWER, "en")
    clips, _ = load(new, old)
    assert clips.train.column_names == list(COLUMNS)
    for side in ("validation", "test"):
        assert getattr(clips, side).to_list() == getattr(plain, side).to_list()
    kept = [row for row in clips.train.to_list() if row["id"] not in clips.old]
    assert kept == plain.train.to_list()
    assert clips.old == {f"replay/{number}" for number in range(10)}  # both folders have a 0.wav
    assert clips.checksum != plain.checksum
    assert with_replay(plain, None, data, LOWER, "en") is plain
    assert account(plain)["replay"] is None


def test_each_clip_keeps_its_own_recording_and_text(new, folder):
    old = folder("old", [(f"{n}.wav", f"elder {n}", None, 1.0 + n / 10) for n in range(10)])
    clips, _ = load(new, old)
    for row in clips.train:
        if row["id"] in clips.old:
            number = int(row["id"].rpartition("/")[2])
            assert (row["text"], row["audio"]["path"]) == (f"elder {number}", f"{old}/{number}.wav")
            assert len(decode(row["audio"])) == round(16_000 * (1 + number / 10))


def test_nothing_of_a_held_out_side_is_trained_on(new, folder, tmp_path):
    data = Data(sources=[Source(path=new)], splits=Splits(validation=0.2, test=0.2))
    plain = load_clips(data, LOWER, "en")
    test, validation = plain.test[0], plain.validation[0]
    old = folder(
        "old",
        [
            ("fine.wav", "elder", "someone", 1.0),
            ("said.wav", f"{test['raw'].upper()}!", None, 1.0),
            ("asked.wav", validation["raw"], "someone", 1.0),
            ("spoke.wav", "words of their own", test["speaker"], 1.0),
            ("heard.wav", "yet others", validation["speaker"], 1.0),
            ("copy.wav", "a transcript of its own", None, 1.0),
            ("train.wav", plain.train[0]["raw"], plain.train[0]["speaker"], 1.0),
        ],
    )
    copied = tmp_path / "old" / "copy.wav"
    copied.write_bytes((tmp_path / "new" / f"{test['id']}.wav").read_bytes())
    clips = with_replay(plain, Replay(sources=[Source(path=old)]), data, LOWER, "en")
    assert {one.id: one.reason for one in clips.left_out[len(plain.left_out) :]} == {
        "replay/said": "transcript also in test",
        "replay/asked": "transcript also in validation",
        "replay/spoke": "speaker also in test",
        "replay/heard": "speaker also in validation",
        "replay/copy": "recording also in test",
    }
    assert clips.old == {"replay/fine", "replay/train"}
    assert_adds_up(clips)
    for side in (clips.validation, clips.test):
        assert not {*map(transcript_key, side["text"])} & {*map(transcript_key, clips.train["text"])}
        assert not {*side["speaker"]} & {*clips.train["speaker"]}


def test_groups_stay_on_one_side_too(folder):
    chapters = folder("LJ", [(f"LJ{n:03d}-0001.wav", f"chapter {n}", None, 1.0) for n in range(30)])
    plain = load_clips(Data(sources=[Source(path=chapters)]), LOWER, "en")
    held = plain.test["group"][0]
    old = folder("again", [(f"{held}-0009.wav", "another sentence", None, 1.0), ("LJ999-0001.wav", "new", None, 1.0)])
    found, _ = load(chapters, old)
    assert [(one.id, one.reason) for one in found.left_out] == [(f"replay/{held}-0009", "group also in test")]


def test_what_cannot_serve_is_listed(new, folder, tmp_path):
    old = folder("old", [("good.wav", "good", None, 1.0), ("short.wav", "short", None, 0.05), ("e.wav", "", None, 1.0)])
    (tmp_path / "old" / "stranger.wav").write_bytes((tmp_path / "old" / "good.wav").read_bytes())
    clips, _ = load(new, old)
    reasons = {one.id: one.reason for one in clips.left_out}
    assert reasons == {"replay/short": "too short", "replay/e": "empty transcript", "replay/stranger": "no transcript"}
    assert_adds_up(clips)


def test_old_data_of_which_nothing_is_left_is_an_error(new, folder):
    plain = load_clips(Data(sources=[Source(path=new)]), LOWER, "en")
    shared = folder("old", [("0.wav", plain.test[0]["raw"], None, 1.0)])
    with pytest.raises(DataError, match=r"^training\.replay: none of 1 clips[^$]*transcript also in test"):
        load(new, shared)
    with pytest.raises(DataError, match=r"^training\.replay: none of 1 clips[^$]*too short"):
        load(new, folder("brief", [("0.wav", "hi", None, 0.01)]))


def test_ids_that_look_like_ours_are_told_apart(folder, old):
    new = folder("new", [(f"replay/{n}.wav", f"number {n}", None, 1.0) for n in range(30)])
    clips, _ = load(new, old)
    assert clips.old == {f"old-replay/{number}" for number in range(10)}
    assert_adds_up(clips)


def test_the_share_holds_when_clips_leave_train(new, old):
    clips, replay = load(new, old)

    def encode(text):
        return [1] * (99 if text in ("elder 1", "elder 2") or text.endswith("7") else 3)

    fitted = fits(clips, encode, None, 50, lambda text: set())
    assert share_of(fitted) != pytest.approx(0.25)
    mended = balanced(fitted, replay)
    assert share_of(mended) == pytest.approx(0.25)
    assert mended.train.remove_columns("weight").to_list() == fitted.train.remove_columns("weight").to_list()
    assert_adds_up(mended)
    assert balanced(mended, replay).train["weight"][:] == pytest.approx(mended.train["weight"][:])
    assert balanced(mended, None) is mended


@pytest.mark.parametrize(("kept", "missing"), [("old", "data.sources"), ("new", "training.replay")])
def test_a_train_side_of_only_one_kind_is_an_error(new, old, kept, missing):
    clips, replay = load(new, old)
    numbers = [n for n, name in enumerate(clips.train["id"]) if (name in clips.old) == (kept == "old")]
    with pytest.raises(DataError, match=f"none of {missing}"):
        balanced(replace(clips, train=clips.train.select(numbers)), replay)


def test_stored_recordings_are_not_copied(tmp_path, record, caches):
    data = [
        {"audio": {"bytes": record(tmp_path / f"{n}.flac").read_bytes(), "path": f"{n}.flac"}, "text": f"text {n}"}
        for n in range(40)
    ]
    for name in ("new", "old"):
        rows = [row | {"text": f"{name} {row['text']}"} for row in data]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet", row_group_size=8)
    before = pa.total_allocated_bytes()
    size = sum(len(row["audio"]["bytes"]) for row in data)
    data = Data(sources=[Source(path=str(tmp_path / "new.parquet"))])
    plain = load_clips(data, LOWER, "en")
    # the same recordings under other transcripts: those of the held-out sides go
    clips = with_replay(plain, Replay(sources=[Source(path=str(tmp_path / "old.parquet"))]), data, LOWER, "en")
    assert pa.total_allocated_bytes() - before < size / 4
    held = len(plain.validation) + len(plain.test)
    assert Counter(one.reason.partition(" ")[0] for one in clips.left_out) == {"recording": held}
    assert len(clips.old) == 40 - held
    assert len(pickle.dumps(clips.train)) < size / 4  # as the loader's workers get it
    assert not list(caches.rglob("cache-*"))  # nor to disk


RECIPE = """
language: en
data: {{sources: [{{path: {new}}}]}}
model: {{from_scratch: {{model_type: wav2vec2}}}}
training:
  epochs: 1
  replay: {{share: {share}, sources: [{{path: {old}{more}}}]}}
baseline: {{training: {{epochs: 1, replay: {{sources: [{{path: "nowhere/{{language}}.csv"}}]}}}}}}
guards:
  - {{name: books, source: {{path: "{{language}}/books"}}}}
  - {{name: books, source: {{path: {old}, use: train, weight: 2}}}}
"""


def test_what_is_wrong_in_a_recipe_is_told_before_anything_is_read(new, old, tmp_path):
    (tmp_path / "r.yaml").write_text(RECIPE.format(new=new, old=f"{old}er", share=1, more=", use: test"))
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(str(tmp_path / "r.yaml"))
    told = dict(caught.value.problems)
    assert told.keys() == {
        "training.replay.share",
        "training.replay.sources.0.use",
        "training.replay.sources.0.path",
        "baseline.training.replay.sources.0.path",
        "guards.0.source.path",
        "guards.1.name",
        "guards.1.source.use",
        "guards.1.source.weight",
        "guards.1.source.path",
    }
    assert "did you mean `old`?" in told["training.replay.sources.0.path"]
    assert "'nowhere/en.csv'" in told["baseline.training.replay.sources.0.path"]
    assert "'en/books'" in told["guards.0.source.path"]


def test_a_good_recipe_comes_back_from_what_is_dumped(new, old, tmp_path):
    wrong = RECIPE.format(new=new, old=old, share=0.5, more="")
    right = wrong.replace("nowhere/{language}.csv", old).replace("{language}/books", new)
    right = right.replace("name: books, source: {path: " + old, "name: again, source: {path: " + old)
    (tmp_path / "r.yaml").write_text(right.replace(", use: train, weight: 2", ", use: test"))
    recipe = recipe_file.load(str(tmp_path / "r.yaml"))
    assert recipe.training.replay is not None and recipe.training.replay.share == 0.5
    (tmp_path / "again.yaml").write_text(recipe_file.dump(recipe))
    assert recipe_file.load(str(tmp_path / "again.yaml")) == recipe.model_copy(update={"name": "r"})
