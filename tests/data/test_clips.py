"""The folder that a run must survive, and the table that comes of several sources."""

import os
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_asr.data.audio import decode
from hf_asr.data.clips import COLUMNS, DataError, load_clips
from hf_asr.recipe import Data, Source, Splits, Text

LOWER = Text(case="lower", punctuation="strip")


def load(*sources, splits=None, **limits):
    made = [source if isinstance(source, Source) else Source(path=str(source)) for source in sources]
    return load_clips(Data(sources=made, splits=splits or Splits(), **limits), LOWER, "en")


def rows(clips):
    return [row for table in (clips.train, clips.validation, clips.test) for row in table]


def assert_adds_up(clips):
    assert clips.given == len(clips.train) + len(clips.validation) + len(clips.test) + len(clips.left_out)
    assert clips.given_seconds == pytest.approx(
        sum(row["seconds"] for row in rows(clips)) + sum(one.seconds for one in clips.left_out)
    )
    ids = [row["id"] for row in rows(clips)]
    assert len(set(ids)) == len(ids)


@pytest.fixture
def prompts(tmp_path, record):
    """A folder of `count` clips of 1 s with texts of their own."""

    def make(name="prompts", count=30, extra=b"", text="Number"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for number in range(count):
            record(folder / f"{number}.wav", seed=len(name))
        lines = [f"{number}.wav,{text} {number}!\n" for number in range(count)]
        (folder / "metadata.csv").write_bytes(b"file_name,text\n" + "".join(lines).encode() + extra)
        return folder

    return make


def spoil(folder, record):
    """One of each thing that cannot serve; gives the manifest's lines for them."""
    whole = record(folder / "cut.wav").read_bytes()
    (folder / "cut.wav").write_bytes(whole[: len(whole) // 2])
    record(folder / "silent.wav")
    record(folder / "dots.wav")
    record(folder / "short.wav", 0.05)
    record(folder / "long.wav", 31)
    record(folder / "latin1.wav")
    record(folder / "stranger.wav")
    (folder / "noise.wav").write_bytes(b"not a sound")
    return (
        b"cut.wav,cut short\nsilent.wav,\ndots.wav,...\nshort.wav,short\nlong.wav,long\nlatin1.wav,caf\xe9\n"
        b"noise.wav,noise\ngone.wav,gone\n../../etc/passwd,root\n"
    )


SPOILED = {
    "cut": "unreadable",
    "noise": "unreadable",
    "silent": "empty transcript",
    "dots": "empty transcript",
    "short": "too short",
    "long": "too long",
    "latin1": "not UTF-8",
    "gone": "no recording",
    "../../etc/passwd": "path outside the folder",
    "stranger": "no transcript",
}


def test_what_cannot_serve_is_listed_and_the_counts_add_up(prompts, record):
    folder = prompts()
    folder = prompts(extra=spoil(folder, record))
    clips = load(folder)
    assert {one.id: one.reason for one in clips.left_out} == SPOILED
    assert clips.given == 30 + len(SPOILED)
    assert_adds_up(clips)
    details = {one.id: one.detail for one in clips.left_out}
    assert "truncated: its header promises 32000 bytes of sound, 15978 are there" in details["cut"]
    assert details["short"] == "0.05 s, min_seconds is 0.1" and details["long"] == "31.0 s, max_seconds is 30"
    assert details["dots"] == "nothing is left of '...'"


def test_nothing_usable_is_one_error_with_every_reason(prompts, record):
    folder = prompts(count=0)
    folder = prompts(count=0, extra=spoil(folder, record))
    with pytest.raises(DataError) as caught:
        load(folder)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"none of {len(SPOILED)} clips can be used:"
    assert Counter(SPOILED.values()) == {
        line.split(":")[0].split(maxsplit=1)[1]: int(line.split()[0]) for line in lines[1:]
    }


def test_an_empty_table_is_an_error(tmp_path):
    (tmp_path / "empty.csv").write_text("file_name,text\n")
    with pytest.raises(DataError, match="the sources hold no clips at all"):
        load(tmp_path / "empty.csv")


def test_the_table_has_its_columns_and_the_text_used_beside_the_one_written(prompts):
    clips = load(prompts(text="Número"))
    assert clips.train.column_names == list(COLUMNS)
    row = clips.train[0]
    assert row["raw"].startswith("Número ") and row["raw"].endswith("!") and row["text"] == row["raw"][:-1].lower()
    assert (row["seconds"], row["weight"], row["speaker"], row["group"]) == (1.0, 1.0, None, None)
    assert len(decode(row["audio"])) == 16_000


def test_several_sources_keep_their_weights_and_sides(prompts):
    clips = load(
        Source(path=str(prompts("one")), weight=2),
        Source(path=str(prompts("two", 5, text="Test")), use="test"),
    )
    assert_adds_up(clips)
    assert len(clips.test) == 5 and {row["raw"][:4] for row in clips.test} == {"Test"}
    assert set(clips.train["weight"]) == {2.0} and set(clips.test["weight"]) == {1.0}
    # both have a 0.wav: only then the source's number stands before the ids
    assert {identity[:2] for identity in clips.train["id"]} == {"0/"} and clips.test["id"][0] == "1/0"


def test_ids_that_occur_twice_in_a_source_are_told_apart(prompts, record):
    clips = load(prompts(extra=b"0.wav,something else\n0.wav,something other\n"))
    assert_adds_up(clips)
    ids = {row["id"]: row["raw"] for row in rows(clips)}
    assert (ids["0#2"], ids["0#3"]) == ("something else", "something other")
    assert "2 recordings occur twice" in clips.warnings[0] and "0#2" in clips.warnings[0]


def test_a_transcript_shared_with_the_test_source_is_left_out_of_train(prompts):
    test = Source(path=str(prompts("two", 5)), use="test")
    clips = load(prompts("one"), test)
    assert_adds_up(clips)
    assert Counter(one.reason for one in clips.left_out) == {"transcript also in test": 5}
    assert not set(clips.test["text"]) & {*clips.train["text"], *clips.validation["text"]}


def test_hours_take_the_beginning(prompts):
    clips = load(Source(path=str(prompts()), hours=12.5 / 3600))
    assert clips.given == 13 and {row["id"] for row in rows(clips)} == {str(number) for number in range(13)}


def test_the_same_data_have_the_same_checksum_wherever_they_lie(prompts, tmp_path):
    first = load(prompts())
    moved = (tmp_path / "prompts").rename(tmp_path / "moved")
    assert load(moved).checksum == first.checksum
    manifest = moved / "metadata.csv"
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([lines[0], *reversed(lines[1:])]))
    assert load(moved).checksum == first.checksum
    assert load(moved, splits=Splits(seed=1)).checksum != first.checksum
    manifest.write_text("\n".join([*lines[:-1], "29.wav,Number thirty"]))
    assert load(moved).checksum != first.checksum


def test_a_table_with_the_recordings_inside_is_not_copied(tmp_path, record):
    data = [
        {
            "audio": {"bytes": record(tmp_path / f"{number}.flac").read_bytes(), "path": f"{number}.flac"},
            "sentence": f"text {number}",
            "speaker_id": number % 7,
        }
        for number in range(40)
    ]
    pq.write_table(pa.Table.from_pylist(data), tmp_path / "stored.parquet", row_group_size=8)
    before = pa.total_allocated_bytes()
    clips = load(tmp_path / "stored.parquet")
    size = sum(len(row["audio"]["bytes"]) for row in data)
    assert pa.total_allocated_bytes() - before < size / 4  # the bytes stay in the memory-mapped file
    assert_adds_up(clips)
    assert clips.train[0]["audio"]["bytes"] == data[int(clips.train[0]["id"].rpartition("-")[2])]["audio"]["bytes"]
    assert set(clips.train["speaker"]) <= set("0123456")
    assert not set(clips.train["speaker"]) & set(clips.test["speaker"])


@pytest.mark.parametrize("sound", ["ch'ok'", "'okina ma", "k’ux ch’o’"])
def test_apostrophes_that_are_letters_are_not_taken_in_silence(prompts, sound):
    told = [warning for warning in load(prompts(text=sound)).warnings if "U+02BC" in warning]
    assert len(told) == 1
    assert told[0].startswith("30 words begin or end with '")
    for fine in ("ch'ok", "chʼokʼ", "Don't (we're"):
        assert not any("U+02BC" in warning for warning in load(prompts(text=fine)).warnings)


def test_sources_with_paths_and_with_bytes_go_together(tmp_path, record, prompts):
    data = [{"audio": {"bytes": record(tmp_path / "x.wav").read_bytes(), "path": None}, "text": "inside"}]
    pq.write_table(pa.Table.from_pylist(data), tmp_path / "stored.parquet")
    clips = load(prompts(), tmp_path / "stored.parquet")
    assert_adds_up(clips)
    assert [len(decode(row["audio"])) for row in rows(clips)] == [16_000] * 31


def test_real_prompts():
    assets = os.environ.get("HF_ASR_ASSETS")
    if not assets:
        pytest.skip("HF_ASR_ASSETS is not set")
    clips = load(f"{assets}/prompts-en")
    assert_adds_up(clips)
    assert Counter(one.reason for one in clips.left_out) == {"too long": 3}
    assert not {*clips.test["text"]} & {*clips.train["text"], *clips.validation["text"]}
    assert clips.given_seconds / 60 == pytest.approx(24.3, abs=0.05)
