"""What must not be published is found wherever it stands; what only looks like it is not."""

import base64
import json
import os
import random
from pathlib import Path

import pytest

from hf_asr.publish.scan import Finding, private_names, scan
from tests import small

RUN = Path(os.sep, "somewhere", "deep", "run")
# put together, so that neither this project's own scan nor anybody else's takes them for real ones
HOME, USERS, ROOT = (f"/{place}/x" for place in ("home/anna", "Users/anna", "root"))
SECRETS = {
    "a Hugging Face token": ["hf_" + "aB3" * 12],
    "a GitHub token": ["ghp_" + "aB3" * 12, "github_pat_" + "aB3_" * 15],
    "an AWS key": ["AKIA" + "ABCD2345EFGH6789"],
    "a Google key": ["AIza" + "Sy-_1" * 7],
    "a Slack token": ["xoxb-" + "123456789012-abc"],
    "an API key": ["sk-" + "proj-aB3" * 4],
    "a private key": ["-----BEGIN " + "PRIVATE KEY-----", "-----BEGIN OPENSSH " + "PRIVATE KEY-----"],
    "a password in an address": ["https://anna:" + "pass@example.org/x"],
    "a password or key": [
        "password=" + "hunter22",
        'PASSWORD: "hunter22"',
        '{"api_key": "0123abcd"}',
        "wandb_token = abcdef",
        "HF_TOKEN=abcdef",
        "aws_secret_access_key: wJalrXUt",
    ],
    "an absolute path of a machine": [
        HOME,
        f'"{USERS}"',
        f"file://{HOME}",
        ROOT,
        "/mnt/" + "disk/x",
        "C:\\Us" + "ers\\anna",
        json.dumps("D:\\speech\\clips"),
        str(RUN / "model"),
        f"path={RUN}",
    ],
}
CASES = [(what, text) for what, texts in SECRETS.items() for text in texts]
HARMLESS = [
    '{"password": 17521, "token": 3, "Ġsecret": 3925}',
    '"unk_token": "[UNK]", "bos_token": "<s>", "word_delimiter_token": "|"',
    '"decoder_start_token_id": 50257, "forced_decoder_ids": null',
    "the password is forty two",
    "password: null",
    "api_key: ${WANDB_API_KEY}",
    "token: <your token>",
    "https://example.org/home/page and https://huggingface.co/Users/x",
    "and/or, either/or, 1/2, km/h, ~/speech, ./runs/x, runs/home/x",
    "hf_asr and hf_hub_download, akia, AKIA",
    "ask-" + "a" * 30,
    "a: \\n and b:\\t in JSON",
    "</home> <a href='/#mnt'>",
    "mailto:anna@example.org",
]


def found(text: str | bytes, name: str = "log.jsonl", folder: Path = RUN) -> list[Finding]:
    return scan([(name, text.encode() if isinstance(text, str) else text)], folder, allowed=(Path.home().name,))


@pytest.mark.parametrize(("what", "text"), CASES)
def test_secrets_are_found_with_file_and_line_and_never_shown(what: str, text: str) -> None:
    findings = found(f"first line\nsecond\n  {text}\nlast")
    assert (Finding("log.jsonl", 3, what)) in findings
    assert all(one.line == 3 for one in findings)
    assert text.strip("\"'") not in "".join(map(str, findings)) + repr(findings)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_it_is_no_finding(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_encoding_of_text_is_read(encoding: str) -> None:
    assert [one.line for one in found(f"é\n{SECRETS['an AWS key'][0]}\n".encode(encoding))] == [2]


def test_a_file_on_disk_reads_like_bytes_and_weights_are_not_read(tmp_path: Path) -> None:
    token = SECRETS["a Hugging Face token"][0]
    (tmp_path / "a.txt").write_text(f"\n{token}\n")
    (tmp_path / "b.bin").write_bytes(b"\0" * 10 + token.encode())
    given = [("a.txt", tmp_path / "a.txt"), ("b.bin", tmp_path / "b.bin"), ("c.bin", b"\0" + token.encode())]
    assert scan(given, RUN) == [Finding("a.txt", 2, "a Hugging Face token")]


@pytest.mark.parametrize("stored", [True, False])
def test_the_metadata_in_safetensors_are_read_and_its_names_and_bytes_are_not(tmp_path: Path, stored: bool) -> None:
    token = SECRETS["a Hugging Face token"][0]

    def tensors(metadata: dict[str, str]) -> Path | bytes:
        head = json.dumps({"__metadata__": metadata, token: {"dtype": "F32", "shape": [1]}}).encode()
        data = len(head).to_bytes(8, "little") + head + token.encode()
        (tmp_path / "model.safetensors").write_bytes(data)
        return tmp_path / "model.safetensors" if stored else data

    assert scan([("model.safetensors", tensors({"format": "pt"}))], RUN) == []
    findings = scan([("model.safetensors", tensors({"from": HOME}))], RUN)
    assert [one.what for one in findings] == ["an absolute path of a machine"]


def test_a_user_name_from_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(HOME).parent / "runs" / "speech"
    monkeypatch.setenv("LOGNAME", "berta")
    assert {"anna", "berta"} <= private_names(folder)
    assert "anna" not in private_names(folder, allowed=["Anna"])
    for name in ("root", "ubuntu", "home"):  # what every machine has is nobody's name
        assert name not in private_names(Path(HOME).parents[1] / name / "x")

    def findings(text: str, file: str = "README.md", allowed: tuple[str, ...] = ()) -> list[str]:
        return [one.what for one in scan([(file, text.encode())], folder, allowed)]

    assert findings("trained by anna.") == findings('{"user": "anna"}') == ["a user name of this machine"]
    assert findings("cluster-berta-07") == ["a user name of this machine"]
    assert findings("Annas manna, annatto") == []
    assert findings("by anna: anna/speech", allowed=("anna",)) == []
    # a vocabulary has the words of a language, and anna may well be one
    assert findings('"anna": 31', "vocab.json") == findings("an na\nanna x", "merges.txt") == []
    assert findings('"anna": 31', "tokenizer.json") == []


def test_folders_of_this_process_and_of_the_run_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    what = ["an absolute path of a machine"]
    assert [one.what for one in found(f"x {tmp_path}/deep/er/file", folder=Path("run"))] == what
    assert [one.what for one in found(f"x {tmp_path}/deep/er/run", folder=Path("run"))] == what


def test_recordings_in_a_page_are_no_tokens() -> None:
    chance = random.Random(0)
    page = "".join(
        f'<audio src="data:audio/ogg;base64,{base64.b64encode(chance.randbytes(100_000)).decode()}">' for _ in range(4)
    )
    assert found(page, "report.html") == []
    assert found(page.replace("base64,", "base64,AKIA", 1), "report.html") == []


def test_shipped_recipes_and_tables_could_be_published() -> None:
    files = [path for folder in ("recipes", "hf_asr/assets") for path in (small.ROOT / folder).rglob("*.*")]
    texts = [path for path in files if path.suffix in {".yaml", ".md", ".json", ".csv"}]
    assert len(texts) >= 8 and scan([(path.name, path) for path in texts], RUN, allowed=(Path.home().name,)) == []


def test_a_real_tokeniser_could_be_published(whisper_checkpoint: Path) -> None:
    files = [path for path in whisper_checkpoint.iterdir() if path.is_file() and path.name != "README.md"]
    assert scan([(path.name, path) for path in files], RUN) == []
