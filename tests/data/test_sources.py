import csv
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hf_asr.data.sources import read_source
from hf_asr.data.tables import AUDIO, SPEAKER, TEXT, DataError, LeftOut
from hf_asr.recipe import Source


def read(path, **options):
    table, left_out = read_source(Source(path=str(path), **options), "en")
    assert table.column_names == ["id", "audio", "raw", "speaker", "group"]
    return list(table), left_out


def reasons(left_out):
    return {one.id: one.reason for one in left_out}


@pytest.fixture
def folder(tmp_path, record):
    """a.wav, b/c.flac, stranger.wav and an empty metadata.csv."""
    record(tmp_path / "a.wav")
    record(tmp_path / "b" / "c.flac")
    record(tmp_path / "stranger.wav", 2.5)
    return tmp_path


ROWS = [("a.wav", "Hello, there", "ann"), ("b/c.flac", "Grüß Gott", ""), ("gone.wav", "nothing", "ann")]


def write_manifest(folder, kind, name="metadata"):
    names = ("file_name", "text", "speaker")
    rows = [dict(zip(names, row, strict=True)) for row in ROWS]
    path = folder / f"{name}.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with path.open("w", newline="") as file:
            delimiter = "\t" if kind == "tsv" else ","
            writer = csv.DictWriter(file, names, delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("named", ["folder", "table"])
def test_manifests_of_every_kind_say_the_same(folder, kind, named):
    table = write_manifest(folder, kind)
    rows, left_out = read(folder if named == "folder" else table)
    assert rows == [
        {
            "id": "a",
            "audio": {"bytes": None, "path": str(folder / "a.wav")},
            "raw": "Hello, there",
            "speaker": "ann",
            "group": None,
        },
        {
            "id": "b/c",
            "audio": {"bytes": None, "path": str(folder / "b" / "c.flac")},
            "raw": "Grüß Gott",
            "speaker": None,
            "group": None,
        },
    ]
    expected = {"gone": "no recording"} | ({"stranger": "no transcript"} if named == "folder" else {})
    assert reasons(left_out) == expected
    assert [one.seconds for one in left_out] == [0.0, 2.5][: len(expected)]


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_csv_with_another_delimiter(folder, delimiter):
    (folder / "metadata.csv").write_text(f"file_name{delimiter}text\na.wav{delimiter}Yes, and no\n")
    assert [row["raw"] for row in read(folder)[0]] == ["Yes, and no"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text(folder):
    (folder / "metadata.csv").write_bytes("\ufefffile_name,text\r\na.wav,yes\r\n".encode())
    assert [row["raw"] for row in read(folder)[0]] == ["yes"]


def test_an_unquoted_comma_is_told_and_no_text_is_cut(folder):
    (folder / "metadata.csv").write_text("file_name,text\na.wav,yes, and no\nb/c.flac,yes\n")
    rows, left_out = read(folder)
    assert [row["id"] for row in rows] == ["b/c"]
    assert (
        left_out[0].reason == "malformed row" and "metadata.csv line 2 has 3 fields, the header 2" in left_out[0].detail
    )


def test_rows_that_are_not_utf8_are_listed_and_the_others_used(folder):
    (folder / "metadata.csv").write_bytes(b"file_name,text\nstranger.wav,caf\xe9\na.wav,yes\n\xe9t\xe9.wav,no\n")
    rows, left_out = read(folder)
    assert [row["id"] for row in rows] == ["a"]
    assert reasons(left_out) == {"stranger": "not UTF-8", "metadata.csv line 4": "not UTF-8", "b/c": "no transcript"}
    assert left_out[0].seconds == 2.5
    assert "line 2" in left_out[0].detail and "save it as UTF-8" in left_out[0].detail


def test_jsonl_rows_that_are_no_json_or_not_utf8_are_listed(folder):
    good = json.dumps({"file_name": "a.wav", "text": 12}).encode()
    lone = rb'{"file_name": "stranger.wav", "text": "\ud800"}'
    bad = b'{"file_name": "b/c.flac", "text": "caf\xe9"}'
    (folder / "metadata.jsonl").write_bytes(b"\n".join([b"{oops", good, bad, b"[1]", lone]))
    rows, left_out = read(folder)
    assert [(row["id"], row["raw"]) for row in rows] == [("a", "12")]
    assert reasons(left_out) == {
        "metadata.jsonl line 1": "malformed row",
        "b/c": "not UTF-8",
        "metadata.jsonl line 4": "malformed row",
        "stranger": "not UTF-8",
    }


def test_utf16_says_so(folder):
    (folder / "metadata.csv").write_bytes("file_name,text\na.wav,yes\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"metadata\.csv is UTF-16: save it as UTF-8"):
        read(folder)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "b/../../x.wav", "..", "../{folder}x/a.wav", "b/../../{folder}x/a.wav"]
)
def test_a_name_that_leads_out_of_the_folder_is_left_out(folder, name, record):
    record(folder.parent / f"{folder.name}x" / "a.wav")
    name = name.format(folder=folder.name)
    (folder / "metadata.csv").write_text(f"file_name,text\n{name},root\na.wav,yes\n")
    rows, left_out = read(folder)
    assert [row["id"] for row in rows] == ["a"]
    assert left_out[0].reason == "path outside the folder"


@pytest.mark.parametrize("name", ["", "b", "a.wav\0", "x" * 5000, "b/c.flac/x"])
def test_a_name_that_is_no_file_is_left_out(folder, name):
    rows = [{"file_name": name, "text": "no"}, {"file_name": str(folder / "a.wav"), "text": "yes"}]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    rows, left_out = read(folder)
    assert [row["id"] for row in rows] == ["a"]  # an absolute path within the folder is fine
    assert left_out[0].reason in ("no recording", "path outside the folder")


def test_links_within_the_folder_are_followed(folder, tmp_path_factory, record):
    elsewhere = tmp_path_factory.mktemp("blobs") / "blob"
    record(elsewhere.with_suffix(".wav"))
    (folder / "linked.wav").symlink_to(elsewhere.with_suffix(".wav"))
    (folder / "metadata.csv").write_text("file_name,text\nlinked.wav,yes\n")
    assert read(folder)[0][0]["audio"]["path"] == str(folder / "linked.wav")


def test_a_linked_folder_is_read_once_and_a_circle_of_links_ends(tmp_path, tmp_path_factory, record):
    elsewhere = tmp_path_factory.mktemp("other-disk")
    record(elsewhere / "a.wav")
    (elsewhere / "metadata.csv").write_text("file_name,text\na.wav,hello\n")
    (elsewhere / "up").symlink_to(tmp_path)
    for name in ("here", "there"):
        (tmp_path / name).symlink_to(elsewhere)
    rows, left_out = read(tmp_path)
    assert [row["id"] for row in rows] == ["here/a"]
    assert not left_out


def test_a_link_beside_a_folder_changes_nothing(tmp_path, record):
    for split in ("train", "test"):
        record(tmp_path / split / "deep" / "a.wav")
        (tmp_path / split / "metadata.csv").write_text("file_name,text\ndeep/a.wav,hello\n")
    (tmp_path / "current").symlink_to(tmp_path / "train")
    (tmp_path / "a-deep").symlink_to(tmp_path / "train" / "deep")
    rows, left_out = read(tmp_path, split="train")
    assert [row["id"] for row in rows] == ["train/deep/a"] and not left_out
    rows, left_out = read(tmp_path)
    assert [row["id"] for row in rows] == ["test/deep/a", "train/deep/a"] and not left_out


def test_a_metadata_file_in_each_splits_folder(tmp_path, record):
    for split in ("train", "test"):
        record(tmp_path / "data" / split / "a.wav")
        (tmp_path / "data" / split / "metadata.csv").write_text(f"file_name,text\na.wav,{split} text\n")
    rows, left_out = read(tmp_path)
    assert [(row["id"], row["raw"]) for row in rows] == [
        ("data/test/a", "test text"),
        ("data/train/a", "train text"),
    ] and not left_out
    rows, left_out = read(tmp_path, split="test")
    assert [row["id"] for row in rows] == ["data/test/a"] and not left_out


def test_one_table_over_all_splits(tmp_path, record):
    for split in ("train", "test"):
        record(tmp_path / "data" / split / "a.wav")
    (tmp_path / "metadata.csv").write_text("file_name,text\ndata/train/a.wav,one\ndata/test/a.wav,two\n")
    rows, left_out = read(tmp_path, split="test")
    assert [(row["id"], row["raw"]) for row in rows] == [("data/test/a", "two")] and not left_out
    assert len(read(tmp_path)[0]) == 2
    with pytest.raises(DataError, match="no table and no recording of"):
        read(tmp_path, split="dev")


def test_a_folder_named_by_way_of_another(folder, monkeypatch):
    write_manifest(folder, "csv")
    plain = [reasons(read(folder)[1]), [row["id"] for row in read(folder)[0]]]
    for name in (folder / "b" / "..", folder / "." / "b" / ".."):
        assert [reasons(read(name)[1]), [row["id"] for row in read(name)[0]]] == plain
    monkeypatch.chdir(folder / "b")
    assert [reasons(read("..")[1]), [row["id"] for row in read("..")[0]]] == plain


def test_ljspeech_as_extracted(tmp_path, record):
    for name in ("LJ001-0001", "LJ001-0002", "LJ002-0001"):
        record(tmp_path / "wavs" / f"{name}.wav")
    (tmp_path / "metadata.csv").write_text(
        'LJ001-0001|"Printing" in 1455|"Printing" in fourteen fifty-five\nLJ001-0002|in being "odd|in being "odd\n'
        "LJ002-0001|Only raw|\nLJ009-0009|gone|gone\n"
    )
    rows, left_out = read(tmp_path)
    assert [(row["id"], row["group"], row["raw"]) for row in rows] == [
        ("LJ001-0001", "LJ001", '"Printing" in fourteen fifty-five'),
        ("LJ001-0002", "LJ001", 'in being "odd'),
        ("LJ002-0001", "LJ002", "Only raw"),
    ]
    assert reasons(left_out) == {"LJ009-0009": "no recording"}
    assert read(tmp_path, text_column="text")[0][0]["raw"] == '"Printing" in 1455'


def test_common_voice_as_extracted(tmp_path, record):
    for name in ("cv_1.wav", "cv_2.mp3", "cv_3.mp3"):
        record(tmp_path / "clips" / name)
    header = "client_id\tpath\tsentence\tup_votes\n"
    (tmp_path / "train.tsv").write_text(header + 'anna\tcv_1.wav\t"Hi, she said.\t2\nbo\tcv_2\tYes.\t1\n')
    (tmp_path / "dev.tsv").write_text(header + "cy\tcv_3.mp3\tNo.\t2\n")
    rows, left_out = read(tmp_path)
    assert [(row["id"], row["speaker"], row["raw"]) for row in rows] == [
        ("cv_1", "anna", '"Hi, she said.'),
        ("cv_2", "bo", "Yes."),
    ] and not left_out
    assert [row["id"] for row in read(tmp_path, split="dev")[0]] == ["cv_3"]
    with pytest.raises(DataError, match=r"no test\.tsv.*dev, train"):
        read(tmp_path, split="test")


def test_columns_can_be_named(folder):
    (folder / "list.csv").write_text("clip,said,who,where\na.wav,yes,ann,room 1\n")
    named = {"audio_column": "clip", "text_column": "said", "speaker_column": "who", "group_column": "where"}
    rows, _ = read(folder / "list.csv", **named)
    assert (rows[0]["raw"], rows[0]["speaker"], rows[0]["group"]) == ("yes", "ann", "room 1")
    with pytest.raises(DataError, match="no column for the audio among clip, said, who, where: name it with"):
        read(folder / "list.csv")
    with pytest.raises(DataError, match=r"no column 'sad' \(text_column\); there are clip, said, who, where"):
        read(folder / "list.csv", **named | {"text_column": "sad"})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/at/all", "no such file or folder"),
        ("nowhere.csv", "no such file or folder: /"),
        ("embedded:nothing", "no embedded data named 'nothing'; there is"),
        ("embedded:../data", "no embedded data named"),
    ],
)
def test_what_is_not_there_is_named(path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        read(path)


@pytest.mark.parametrize("name", ["metadata.parquet", "list.parquet"])
def test_a_broken_parquet_file_is_named(folder, name):
    (folder / name).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match=rf"{name} cannot be read"):
        read(folder if name == "metadata.parquet" else folder / name)


def test_split_takes_the_rows_that_say_so(folder):
    (folder / "all.csv").write_text("path,text,split\na.wav,one,train\nb/c.flac,two,test\n", encoding="utf-8")
    for name, path in ("train", "a.wav"), ("test", "c.flac"):
        table, _ = read_source(Source(path=str(folder / "all.csv"), split=name), None)
        assert [row["path"].endswith(path) for row in table["audio"][:]] == [True]
    with pytest.raises(DataError, match=r"no row of .* its column `split` has test, train"):
        read_source(Source(path=str(folder / "all.csv"), split="dev"), None)
    (folder / "other.csv").write_text("path,text\na.wav,one\n", encoding="utf-8")
    with pytest.raises(DataError, match="it has no column `split`"):
        read_source(Source(path=str(folder / "other.csv"), split="dev"), None)


def test_split_takes_the_rows_of_a_parquet_table_with_the_recordings_inside(folder):
    sound = (folder / "a.wav").read_bytes()
    rows = [
        {"audio": {"bytes": sound, "path": None}, "text": f"text {n}", "split": split} for n, split in enumerate("ttd")
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "all.parquet")
    table, _ = read_source(Source(path=str(folder / "all.parquet"), split="t"), None)
    assert table["raw"][:] == ["text 0", "text 1"]
    with pytest.raises(DataError, match=r"no row of .* its column `split` has d, t"):
        read_source(Source(path=str(folder / "all.parquet"), split="s"), None)
    pq.write_table(pa.Table.from_pylist(rows).drop_columns("split"), folder / "all.parquet")
    with pytest.raises(DataError, match="it has no column `split`"):
        read_source(Source(path=str(folder / "all.parquet"), split="t"), None)


@pytest.mark.parametrize("after", ["c.wav,three\n", 'c.wav,"three\nd.wav,four\n'])
def test_a_quotation_mark_that_nothing_closes_swallows_no_rows(folder, after):
    (folder / "all.csv").write_text(f'path,text\na.wav,one\na.wav,"two\n{after}', encoding="utf-8")
    with pytest.raises(DataError, match=r"from line 3 on: .*begins with a quotation mark"):
        read_source(Source(path=str(folder / "all.csv")), None)
    (folder / "all.csv").write_text('path,text\na.wav,"""Two,"" she said"\na.wav,4" long\n', encoding="utf-8")
    table, _ = read_source(Source(path=str(folder / "all.csv")), None)
    assert table["raw"][:] == ['"Two," she said', '4" long']


def test_stretches_of_longer_recordings_are_told(folder):
    row = {"audio_filepath": "a.wav", "text": "one", "offset": 0.0, "duration": 0.5}
    lines = [json.dumps(row), json.dumps(row | {"offset": 0.5})]
    (folder / "all.jsonl").write_text(lines[0] + "\n", encoding="utf-8")
    assert len(read_source(Source(path=str(folder / "all.jsonl")), None)[0]) == 1
    (folder / "all.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2 begins 0.5 s into its recording"):
        read_source(Source(path=str(folder / "all.jsonl")), None)


def test_a_folder_without_metadata_says_what_is_missing(folder):
    with pytest.raises(DataError, match=r"has no metadata\.csv"):
        read(folder)
    (folder / "transcripts.csv").write_text("path;sentence\na.wav;ja\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"is it transcripts\.csv\? Then path: .*/transcripts\.csv"):
        read(folder)


def test_the_reference_names_the_columns_that_are_looked_for():
    for key, names in ("audio_column", AUDIO), ("text_column", TEXT), ("speaker_column", SPEAKER):
        assert f"({', '.join(names)})" in Source.model_fields[key].description


def test_rows_and_ids_do_not_depend_on_where_the_folder_lies(folder, tmp_path_factory, monkeypatch):
    write_manifest(folder, "csv")
    there = [row["id"] for row in read(folder)[0]]
    monkeypatch.chdir(folder.parent)
    here, left_out = read(folder.name)
    assert [row["id"] for row in here] == there and Path(here[0]["audio"]["path"]).is_absolute()
    assert left_out[1] == LeftOut("stranger", "no transcript", "no row in metadata.csv names it", 2.5)


def test_real_prompts():
    assets = os.environ.get("HF_ASR_ASSETS")
    if not assets:
        pytest.skip("HF_ASR_ASSETS is not set")
    rows, left_out = read(f"{assets}/prompts-en")
    assert len(rows) == 553 and not left_out and rows[0]["id"] == "clips/en-activated"
