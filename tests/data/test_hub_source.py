"""Hub datasets against a server on this machine, in a process of its own, and against a local parquet tree."""

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, Dataset, Features, Value

from hf_asr.data.sources import read_source
from hf_asr.data.tables import DataError
from hf_asr.recipe import Source

FEATURES = Features(
    {"id": Value("string"), "audio": Audio(16_000), "text": Value("string"), "speaker_id": Value("int64")}
)
PROGRAM = """
import json, sys
from hf_asr.data.sources import read_source
from hf_asr.recipe import Source
for spec in json.loads(sys.argv[1]):
    try:
        table, left_out = read_source(Source(**spec), "cy")
        rows = [row | {"audio": {"path": row["audio"]["path"], "bytes": str(row["audio"]["bytes"])}} for row in table]
        print(json.dumps({"rows": rows, "left_out": len(left_out)}))
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}))
print(json.dumps(sorted(name for name in sys.modules if "torchcodec" in name)))
"""


def hub_server():
    path = Path(__file__).parents[1] / "hub" / "datasets.py"
    spec = importlib.util.spec_from_file_location("hub_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_parquet(path, record, names, group=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in names:
        data = record(path.parent.parent / f"{name}.flac").read_bytes()
        (path.parent.parent / f"{name}.flac").unlink()
        audio = {"bytes": data, "path": f"{name}.flac"}
        rows.append({"id": name, "audio": audio, "text": f"Text {name}", "speaker_id": len(rows) % 3})
    pq.write_table(pa.Table.from_pylist(rows, schema=FEATURES.arrow_schema), path, row_group_size=group)
    return rows


@pytest.fixture(scope="module")
def hub(tmp_path_factory, record):
    """A Hub with user/plain (two shards), user/script (converted to parquet) and user/files (an audiofolder)."""
    root = tmp_path_factory.mktemp("hub")
    data = root / "user" / "plain" / "main" / "data"
    write_parquet(data / "train-00000-of-00002.parquet", record, [f"a{number}" for number in range(40)])
    write_parquet(data / "train-00001-of-00002.parquet", record, [f"b{number}" for number in range(40)])
    write_parquet(data / "test-00000-of-00001.parquet", record, ["t0", "t1"])
    script = root / "user" / "script"
    (script / "main").mkdir(parents=True)
    (script / "main" / "script.py").write_text("raise SystemExit('run')")
    for language in ("cy", "en"):
        write_parquet(script / "refs%2Fconvert%2Fparquet" / language / "train" / "0000.parquet", record, [language])
    (root / "user" / "script2" / "main").mkdir(parents=True)
    (root / "user" / "script2" / "main" / "script2.py").write_text("raise SystemExit('run')")
    files = root / "user" / "files" / "main"
    record(files / "clips" / "x.flac")
    (files / "metadata.csv").write_text("file_name,text\nclips/x.flac,A file\nclips/gone.flac,Gone\n")
    server = hub_server().serve(root)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield root, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(root, endpoint, *specs):
    """What read_source says to each spec, in one new process that knows only this Hub (or none)."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint or "http://127.0.0.1:1",
        "HF_HOME": str(root / "home"),
        "HF_ASR_CACHE": str(root / "asr"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "0" if endpoint else "1",
    }
    environment = {name: value for name, value in environment.items() if name != "HF_DATASETS_OFFLINE"}
    command = [sys.executable, "-c", PROGRAM, json.dumps(specs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 0, done.stderr
    *answers, torchcodec = map(json.loads, done.stdout.splitlines())
    assert torchcodec == [] and len(answers) == len(specs)
    return answers


PLAIN = {"path": "user/plain", "split": "train"}
STREAM = PLAIN | {"streaming": True, "hours": 10.5 / 3600}
CONVERTED = {"path": "user/script", "config": "{language}", "revision": "refs/convert/parquet", "split": "train"}
READ = [STREAM, STREAM, PLAIN, CONVERTED, CONVERTED | {"streaming": True}, {"path": "user/files"}]
WRONG = [
    ({"path": "user/none"}, "user/none is no folder here, and the Hub says: Dataset 'user/none' doesn't exist"),
    ({"path": "user/plain"}, "user/plain has the splits train, test: choose with `split`, its side with `use`"),
    ({"path": "user/script"}, "An old script needs `revision: refs/convert/parquet`"),  # another branch is stored
    (PLAIN | {"split": "dev"}, 'Unknown split "dev". Should be one of'),
    (PLAIN | {"revision": "v9"}, "Revision 'v9' doesn't exist"),
    (PLAIN | {"text_column": "sentence"}, "no column 'sentence' (text_column); there are id, audio, text, speaker_id"),
    (STREAM | {"text_column": "sentence"}, "no column 'sentence' (text_column); there are id, audio, text, speaker_id"),
]


@pytest.fixture(scope="module")
def answers(hub):
    """What one process was told, first READ then WRONG, and the requests it made."""
    told = ask(*hub, *READ, *(spec for spec, _ in WRONG))
    return told, (hub[0] / "requests.log").read_text().splitlines()


def test_a_stream_is_the_beginning_of_the_whole(hub, answers):
    streamed, again, whole, *_ = answers[0]
    assert [row["id"] for row in streamed["rows"]] == [f"a{number}" for number in range(11)]  # 1 s each
    assert streamed == again and whole["rows"][:11] == streamed["rows"] and len(whole["rows"]) == 80
    given = pq.read_table(hub[0] / "user/plain/main/data/train-00000-of-00002.parquet").to_pylist()
    assert streamed["rows"][5] == {
        "id": "a5",
        "audio": {"path": "a5.flac", "bytes": str(given[5]["audio"]["bytes"])},
        "raw": "Text a5",
        "speaker": "2",
        "group": None,
    }


def test_a_stream_fetches_and_stores_no_more_than_its_hours(hub, answers):
    log = answers[1]
    second = next(at for at, line in enumerate(log) if line.startswith("GET") and "00001-of-00002" in line)
    assert any("00000-of-00002.parquet bytes=" in line for line in log[:second])
    assert not any("plain" in line and "bytes=" in line for line in log[second:])  # the same again came from the disk
    sizes = sorted(path.stat().st_size for path in (hub[0] / "asr" / "streams").iterdir())
    assert len(sizes) == 2 and sizes[1] < 11 * 28_000 + 10_000  # a second of noise in FLAC has 27.7 kB


def test_converted_scripts_and_folders_of_files(answers):
    _, _, _, welsh, stream, files = answers[0][: len(READ)]
    assert [row["raw"] for row in welsh["rows"]] == ["Text cy"] and stream == welsh
    (row,) = files["rows"]
    assert (row["id"], row["raw"], files["left_out"]) == ("clips/x", "A file", 1) and Path(
        row["audio"]["path"]
    ).is_file()


@pytest.mark.parametrize(("number", "message"), list(enumerate(message for _, message in WRONG)))
def test_what_is_wrong_is_said(answers, number, message):
    error = answers[0][len(READ) + number]["error"]
    assert error.startswith("DataError: ") and message in error


def test_a_stored_stream_serves_offline_and_gives_way_to_a_new_commit(hub, answers, record):
    root, _ = hub
    offline, other = ask(root, None, STREAM, STREAM | {"hours": 1})
    assert offline == answers[0][0] and "DataError: user/plain is no folder here" in other["error"]
    write_parquet(root / "user/plain/main/data/train-00000-of-00002.parquet", record, [f"n{n}" for n in range(20)])
    new, script = ask(*hub, STREAM, {"path": "user/script2"})
    assert new["rows"][0]["id"] == "n0"
    assert "is a script, which datasets no longer runs: try `revision: refs/convert/parquet`" in script["error"]


def test_a_local_parquet_tree_reads_like_the_hub(tmp_path, record):
    names = [f"LJ00{chapter}-000{number}" for chapter in (1, 2) for number in range(3)]
    rows = write_parquet(tmp_path / "tree" / "data" / "train-00000-of-00001.parquet", record, names)
    table, left_out = read_source(Source(path=str(tmp_path / "tree"), split="train"), None)
    assert left_out == [] and list(table["id"]) == names
    assert list(table["group"]) == ["LJ001"] * 3 + ["LJ002"] * 3  # LJSpeech's chapters
    assert table[4]["audio"] == rows[4]["audio"]
    streamed, _ = read_source(Source(path=str(tmp_path / "tree"), split="train", streaming=True), None)
    assert isinstance(streamed, Dataset) and list(streamed) == list(table)


def test_a_language_is_needed_where_the_config_names_one():
    with pytest.raises(DataError, match=r"config '\{language\}' of user/x needs the recipe's `language`"):
        read_source(Source(path="user/x", config="{language}", format="hub"), None)


def test_samples_in_place_of_recordings_are_told(tmp_path):
    rows = [{"audio": {"array": [0.0] * 800, "sampling_rate": 16_000}, "text": "one"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    with pytest.raises(DataError, match="holds no recordings in a file format"):
        read_source(Source(path=str(tmp_path / "train.parquet")), "cy")
