"""Pushing a run with huggingface_hub's own client to a Hub on loopback that refuses what the real one refuses."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants

from hf_asr import run
from hf_asr.app.space import space
from hf_asr.publish.card import card
from hf_asr.publish.collection import hold
from hf_asr.publish.files import File, gather
from hf_asr.publish.hub import How, Pushed, push, send, signed_in, told
from hf_asr.publish.plan import Wanted, in_words, plan, require_name, settings
from hf_asr.publish.refusals import PushError
from hf_asr.report.page import build
from tests import small
from tests.hub.server import Hub, serving
from tests.hub.store import User
from tests.report import folder as runs

# of the client's own HTTP library about the client's own upload of parts
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN = "hf_" + "t0ken" * 7
TO = "anna/speech"
WEIGHTS, NGRAM = os.urandom(400_000), os.urandom(150_000)
METADATA = b"---\nlibrary_name: transformers\n---\n"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serving() as hub:
        hub.store.users = {TOKEN: User("anna", ("choir",)), "hf_ben": User("ben"), "hf_read": User("anna", role="read")}
        yield hub


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run with a baseline, large files, and things that must stay at home."""
    folder = tmp_path / "run"
    for where, seed in ((folder, b""), (folder / run.BASELINE, b"0")):
        runs.write(where, runs.prompts(8), audio=2)
        (where / run.MODEL / "language_model").mkdir(parents=True)
        (where / run.MODEL / "config.json").write_text('{"model_type": "wav2vec2"}')
        (where / run.MODEL / "vocab.json").write_text('{"a": 0, "password": 17521, "|": 4}')
        (where / run.MODEL / "model.safetensors").write_bytes(tensors(WEIGHTS + seed))
        (where / run.MODEL / "language_model" / "3gram.bin").write_bytes(NGRAM)
    (folder / run.MODEL / "training_args.bin").write_bytes(b"pickled")
    (folder / run.MODEL / "optimizer.pt").write_bytes(b"pickled")
    (folder / run.MODEL / ".secret").write_text("hidden")
    (folder / run.CHECKPOINTS).mkdir()
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Wanted:
    """A repository of four files, two of them large; quicker than a whole run where only the Hub matters."""
    (tmp_path / "memory").mkdir()
    names = {"README.md": METADATA, "config.json": b"{}", "model.safetensors": tensors(WEIGHTS), "3gram.bin": NGRAM}
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
    return Wanted(TO, tmp_path / "memory", tuple(File(name, tmp_path / name) for name in names), message="A model")


def tensors(data: bytes) -> bytes:
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    return len(header).to_bytes(8, "little") + header + data


def client(hub: Hub, token: Any = TOKEN) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=token)


def sent(hub: Hub, model: Wanted, token: str = TOKEN, **how: Any) -> Pushed:
    return send(client(hub, token), model, How(**how), wait=0.01, tell=lambda text: None)


def refused(hub: Hub, model: Wanted, token: str = TOKEN, **how: Any) -> str:
    with pytest.raises(PushError) as caught:
        sent(hub, model, token, **how)
    assert "hf_" not in str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def pushed(hub: Hub, folder: Path, to: str = TO, private: bool = False, **more: Any) -> list[Pushed]:
    return push(folder, to, How(private=private), api=client(hub), wait=0.01, tell=lambda text: None, **more)


def with_file(model: Wanted, path: str, data: bytes) -> Wanted:
    return replace(model, files=(*(file for file in model.files if file.path != path), File(path, data)))


def files(hub: Hub, to: str = TO, revision: str = "main", kind: str = "model") -> dict[str, bytes]:
    found = hub.store.repositories[kind, to]
    commit = found.commit(revision)
    return {path: found.read(blob) for path, blob in commit.files.items() if path != ".gitattributes"}


def test_one_commit_with_everything_that_is_public(hub: Hub, folder: Path) -> None:
    (done,) = pushed(hub, folder)
    there = files(hub)
    own = {"README.md", run.REPORT, run.RECIPE, run.RESULTS, run.DATA, run.ENVIRONMENT, run.LOG}
    model = {"config.json", "vocab.json", "model.safetensors", "language_model/3gram.bin"}
    assert set(there) == own | model and set(done.changed) == set(there)
    assert there["model.safetensors"] == tensors(WEIGHTS) and there["language_model/3gram.bin"] == NGRAM
    assert there["config.json"] == (folder / run.MODEL / "config.json").read_bytes()
    commits = client(hub).list_repo_commits(TO)
    assert commits[0].commit_id == done.commit and len(commits) == 2  # the Hub's own, and ours
    assert hub.requests["commit"] == 1 and done.url == f"{hub.endpoint}/{TO}" and not done.private
    memory = run.read_json(folder / "pushed.json")["repositories"][TO]["main"]
    assert memory["commit"] == done.commit
    assert memory["files"]["vocab.json"] == sha256(there["vocab.json"]).hexdigest()
    assert b"data:audio" not in there[run.REPORT] and b"data:audio" in build(folder, True).encode()
    assert str(folder) not in "".join(data.decode("utf-8", "replace") for data in there.values())


def test_what_was_done_is_told_on_one_line() -> None:
    done = Pushed(TO, f"https://huggingface.co/{TO}", "1234567890", ("README.md",), (), None, True)
    assert told(done) == f"pushed 1 file: https://huggingface.co/{TO} (private) is at 1234567"
    more = replace(done, changed=("a", "b"), removed=("c",), private=False)
    assert told(more) == f"pushed 2 files, removed 1: https://huggingface.co/{TO} is at 1234567"
    nothing = f"nothing changed since the last push: https://huggingface.co/{TO} (private) is at 1234567"
    assert told(replace(done, changed=())) == nothing
    assert told(replace(done, pull_request="https://x/1")) == "pull request with 1 file: https://x/1"


def test_a_card_that_somebody_wrote_on_goes_as_it_is(hub: Hub, folder: Path) -> None:
    (folder / run.CARD).write_text(card(folder))
    assert not any("by hand" in note for note in gather(folder, TO, None, False).notes)
    (folder / run.CARD).write_text(card(folder) + "\n## Thanks\n\nTo the readers.\n")
    assert f"{run.CARD} is pushed as it was changed by hand" in gather(folder, TO, None, False).notes
    pushed(hub, folder, baseline=True)
    there = files(hub)[run.CARD].decode()
    assert "To the readers." in there and f"https://huggingface.co/{TO}-baseline" in there
    assert f"{TO}-baseline" in files(hub, f"{TO}-baseline")[run.CARD].decode()


def test_a_second_push_of_the_same_changes_nothing(hub: Hub, folder: Path) -> None:
    (first,) = pushed(hub, folder)
    hub.forget()
    (second,) = pushed(hub, folder)
    assert (second.changed, second.removed, second.commit) == ((), (), first.commit)
    assert hub.requests == {"info": 1} and hub.seen() == (1, 0)


def test_only_what_changed_goes_up_and_what_is_gone_goes(hub: Hub, folder: Path) -> None:
    pushed(hub, folder)
    (folder / run.MODEL / "vocab.json").unlink()
    with (folder / run.LOG).open("a") as log:
        log.write('{"step": 301}\n')
    hub.forget()
    (done,) = pushed(hub, folder)
    assert set(done.changed) == {run.LOG, run.REPORT} and done.removed == ("vocab.json",)
    assert "vocab.json" not in files(hub) and files(hub)[run.LOG].endswith(b'{"step": 301}\n')
    assert hub.requests["batch"] == hub.requests["upload"] == 0 and hub.requests["commit"] == 1


def test_a_lost_memory_is_no_reason_to_refuse_what_is_equal(hub: Hub, model: Wanted) -> None:
    first = sent(hub, model)
    (model.folder / "pushed.json").unlink()
    hub.forget()
    assert sent(hub, model).changed == () and hub.requests == {"info": 1}
    assert run.read_json(model.folder / "pushed.json")["repositories"][TO]["main"]["commit"] == first.commit


def test_a_cut_connection_in_the_middle_of_an_upload_mends_itself(hub: Hub, model: Wanted) -> None:
    hub.fault("upload", cut=100_000, path=sha256(tensors(WEIGHTS)).hexdigest())
    sent(hub, model)
    assert files(hub)["model.safetensors"] == tensors(WEIGHTS)
    assert hub.uploads[sha256(NGRAM).hexdigest()] == len(NGRAM)  # the other one came once


PROGRAM = """
import sys
from pathlib import Path
from huggingface_hub import HfApi
from hf_asr.publish.hub import Wanted, send
from hf_asr.publish.files import File, gather
memory, endpoint, to, token, *paths = sys.argv[1:]
files = tuple(File(Path(path).name, Path(path)) for path in paths)
send(HfApi(endpoint=endpoint, token=token), Wanted(to, Path(memory), files, message="A model"))
"""


def test_a_killed_push_goes_on_where_it_was(hub: Hub, model: Wanted) -> None:
    large, other = sha256(tensors(WEIGHTS)).hexdigest(), sha256(NGRAM).hexdigest()
    killed = threading.Event()
    hub.fault("upload", cut=100_000, hold=killed, path=large)
    environment = os.environ | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    given = [str(model.folder), hub.endpoint, TO, TOKEN, *(str(file.content) for file in model.files)]
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *given], env=environment, cwd=small.ROOT)
    for _ in range(600):
        there = hub.store.repositories.get(("model", TO))
        if process.poll() is not None or (there and other in there.objects and hub.uploads[large] > 100_000):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    killed.set()
    assert process.wait() == -signal.SIGKILL and large not in hub.store.repositories["model", TO].objects
    assert files(hub) == {} and not (model.folder / "pushed.json").exists()
    hub.forget()
    done = sent(hub, model)
    assert hub.uploads == {large: len(tensors(WEIGHTS))}  # the one that had arrived is not sent again
    assert files(hub)["3gram.bin"] == NGRAM and len(done.changed) == 4


def test_somebody_elses_commit_is_not_overwritten(hub: Hub, model: Wanted) -> None:
    sent(hub, model)
    words = [CommitOperationAdd("README.md", METADATA + b"Better words.")]
    head = client(hub).create_commit(TO, words, commit_message="Better words").oid[:7]
    hub.forget()
    assert refused(hub, model) == (
        f"{TO} has a newer commit than the last push of this run (it is at {head}): look at it on the Hub,"
        f" then open a pull request (--pr), put this run over it (--onto {head}), or push to another --to"
    )
    assert files(hub)["README.md"] == METADATA + b"Better words." and hub.requests == {"info": 1}
    assert "has a newer commit" in refused(hub, model, onto="1234567") + refused(hub, model, onto=head[:3])
    assert sent(hub, model, onto=head).changed == ("README.md",)
    assert sent(hub, model).changed == ()


def test_a_commit_between_look_and_push_is_refused_by_the_hub(hub: Hub, model: Wanted) -> None:
    api = client(hub)
    sent(hub, model)
    create = api.create_commit

    def too_late(*arguments: Any, **more: Any) -> Any:
        create(TO, [CommitOperationAdd("notes.txt", b"theirs")], commit_message="First!")
        return create(*arguments, **more)

    api.create_commit = too_late  # type: ignore[method-assign]
    with pytest.raises(PushError, match=f"somebody else committed to {TO} while this was being pushed"):
        send(api, with_file(model, "config.json", b"[]"), wait=0.01)
    assert files(hub)["config.json"] == b"{}" and files(hub)["notes.txt"] == b"theirs"


def test_a_repository_with_other_things_in_it_is_left_alone(hub: Hub, model: Wanted) -> None:
    client(hub).create_repo(TO)
    client(hub).create_commit(TO, [CommitOperationAdd("notes.txt", b"mine")], commit_message="Notes")
    assert refused(hub, model).startswith(f"{TO} holds files that this run did not push")
    assert set(files(hub)) == {"notes.txt"}


def test_a_pull_request_leaves_main_as_it_is(hub: Hub, model: Wanted) -> None:
    client(hub).create_repo(TO)
    client(hub).create_commit(TO, [CommitOperationAdd("notes.txt", b"mine")], commit_message="Notes")
    done = sent(hub, model, pr=True)
    assert done.pull_request == f"{hub.endpoint}/{TO}/discussions/1" and set(files(hub)) == {"notes.txt"}
    assert set(files(hub, revision="refs/pr/1")) == {"notes.txt", *(file.path for file in model.files)}
    assert not (model.folder / "pushed.json").exists()
    assert "is not on the Hub" in refused(hub, replace(model, repository="anna/none"), pr=True)


def test_a_pull_request_is_never_opened_twice(hub: Hub, model: Wanted) -> None:
    client(hub).create_repo(TO)
    hub.fault("commit", lost=True)
    assert "no connection" in refused(hub, model, pr=True)
    assert len(hub.store.repositories["model", TO].pulls) == 1


def test_private_is_private_before_anything_is_in_it(hub: Hub, model: Wanted) -> None:
    assert sent(hub, model, private=True).private and hub.store.repositories["model", TO].private
    assert hub.requests["settings"] == 0  # from its first moment on
    assert sent(hub, model).private  # never made public without being asked
    other = replace(model, repository="anna/open")
    assert not sent(hub, other).private
    hub.forget()
    hub.fault("commit", status=500, times=3)
    refused(hub, with_file(other, "config.json", b"[]"), private=True)
    assert hub.store.repositories["model", "anna/open"].private  # before the commit that failed


def test_a_large_object_comes_in_parts(hub: Hub, model: Wanted) -> None:
    data = os.urandom(11_000_000)
    sent(hub, with_file(model, "model.safetensors", data))
    assert files(hub)["model.safetensors"] == data and hub.requests["complete"] == 1 and hub.requests["upload"] == 4


def test_model_and_baseline_link_each_other_and_share_a_collection(hub: Hub, folder: Path) -> None:
    model, baseline = pushed(hub, folder, baseline=True)
    assert (model.repository, baseline.repository) == (TO, f"{TO}-baseline")
    assert f"{TO}-baseline" in files(hub)["README.md"].decode()
    assert re.search(rf"{TO}(?!-baseline)", files(hub, f"{TO}-baseline")["README.md"].decode())
    assert files(hub, f"{TO}-baseline")["model.safetensors"] == tensors(WEIGHTS + b"0")
    (slug,) = hub.store.collections
    items = [item["id"] for item in hub.store.collections[slug]["items"]]
    assert items == [TO, f"{TO}-baseline"]
    hub.forget()
    pushed(hub, folder, baseline=True)
    assert list(hub.store.collections) == [slug] and hub.requests == {"info": 2, "collection": 1}


def test_a_collection_is_found_by_what_is_remembered_then_by_title(hub: Hub) -> None:
    api, pair = client(hub), [TO, f"{TO}-baseline"]
    for name in pair:
        api.create_repo(name)
    slug = hold(api, pair[:1], None, private=True)
    assert hold(api, pair, slug, private=True) == hold(api, pair, None, private=True) == slug
    (there,) = hub.store.collections.values()
    assert [item["id"] for item in there["items"]] == pair and there["private"]
    hub.store.collections.clear()  # somebody removed it
    assert hold(api, pair, slug, private=True) != slug and len(hub.store.collections) == 1


def test_a_space_to_try_it(hub: Hub, folder: Path) -> None:
    _, done = pushed(hub, folder, space=space(TO, folder))
    there = files(hub, f"{TO}-demo", kind="space")
    assert done.url == f"{hub.endpoint}/spaces/{TO}-demo" and set(there) == {"README.md", "app.py", "requirements.txt"}
    assert TO.encode() in there["app.py"]
    hub.forget()
    assert pushed(hub, folder, space=space(TO, folder))[1].changed == () and hub.requests == {"info": 2}


REFUSALS = [
    ("another's name", "ben/speech", TOKEN, "no permission to write to ben/speech as anna (You don't have the rights"),
    ("a token to read", TO, "hf_read", f"no permission to write to {TO} as anna"),
    ("an unknown token", TO, "hf_" + "x" * 30, "the Hub does not know this token"),
    ("a name that the Hub does not take", "anna/-speech", TOKEN, "'anna/-speech' cannot be a repository"),
]


@pytest.mark.parametrize(("to", "token", "message"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_what_the_hub_refuses_is_said_with_a_remedy(hub: Hub, model: Wanted, to: str, token: str, message: str) -> None:
    assert refused(hub, replace(model, repository=to), token).startswith(message)
    assert hub.store.repositories == {}


@pytest.mark.parametrize("to", ["anna/sp eech", "speech", "a/b/c", "anna/" + "x" * 97])
def test_a_bad_name_is_told_without_the_network(to: str) -> None:
    with pytest.raises(PushError, match="a repository is written USER/NAME"):
        require_name(to)


QUOTA = "Private repository storage limit reached, please upgrade"
FAULTS = [
    ("preupload", {"status": 403, "error": "Forbidden"}, f"no permission to write to {TO} as anna (Forbidden)"),
    ("batch", {"status": 403, "error": QUOTA}, f"no room for {TO} on the Hub ({QUOTA})"),
    ("upload", {"status": 403, "error": "Request has expired", "times": 9}, "the storage of the Hub did not take"),
    ("upload", {"status": 507, "error": "quota exceeded"}, "no room for"),
    ("create", {"status": 409, "error": "taken", "times": 3}, f"the name {TO} is taken"),
    ("info", {"status": 429, "error": "slow down", "times": 3}, "too many requests"),
    ("info", {"status": 503, "times": 3}, "the Hub has trouble of its own (503)"),
    ("commit", {"status": 500, "times": 3}, "the Hub has trouble of its own (500)"),
    ("commit", {"status": 400, "error": f"no\x1b[31m\n {TOKEN}"}, f"the Hub refused {TO} (400: no [31m ***)"),
    ("info", {"lost": True, "times": 3}, "no connection to "),
    ("validate yaml", {"status": 400, "error": "no such licence"}, f"the Hub does not take the card of {TO}"),
]


@pytest.mark.parametrize(("name", "how", "message"), FAULTS, ids=[f"{name} {how}" for name, how, _ in FAULTS])
def test_what_goes_wrong_is_said_with_a_remedy(hub: Hub, model: Wanted, name: str, how: Any, message: str) -> None:
    hub.fault(name, **how)
    said = refused(hub, model)
    assert said.startswith(message) and said.isprintable()
    hub.faults.clear()
    assert sent(hub, model).commit and len(files(hub)) == 4  # and the same command again goes through


def test_a_quota_is_the_hubs_own(hub: Hub, model: Wanted) -> None:
    hub.store.quota["anna"] = len(WEIGHTS)
    assert refused(hub, model).startswith(f"no room for {TO} on the Hub (Storage limit reached")
    assert files(hub) == {}


def test_metadata_that_the_hub_does_not_take_stop_the_push_before_the_weights(hub: Hub, model: Wanted) -> None:
    said = refused(hub, with_file(model, "README.md", b"---\nlicense: mine\n---\n"))
    assert said.startswith(f"the Hub does not take the card of {TO}") and hub.requests["upload"] == 0


def test_faults_that_pass_are_waited_for(hub: Hub, model: Wanted) -> None:
    hub.fault("info", status=502)
    hub.fault("commit", status=500)
    lines: list[str] = []
    done = send(client(hub), model, wait=0.01, tell=lines.append)
    assert len(done.changed) == 4
    assert [line.split(";")[1] for line in lines] == [" trying again in 0.01 s", " trying again in 0.04 s"]


@pytest.mark.parametrize(("token", "said"), [("no usual form", "no usual form"), (TOKEN, "hf_" + "0ther" * 7)])
def test_no_token_is_told_whatever_its_form_or_whose(hub: Hub, model: Wanted, token: str, said: str) -> None:
    hub.store.users[token] = User("anna")
    hub.fault("commit", status=400, error=f"the token {said} is odd")
    assert refused(hub, model, token) == f"the Hub refused {TO} (400: the token *** is odd)"


def test_an_address_that_expired_is_asked_for_anew(hub: Hub, model: Wanted) -> None:
    hub.fault("upload", status=403, error="Request has expired")
    assert len(sent(hub, model).changed) == 4 and hub.requests["batch"] == 2


def test_a_commit_whose_answer_was_lost_is_found_and_not_made_twice(hub: Hub, model: Wanted) -> None:
    hub.fault("commit", lost=True)
    assert len(sent(hub, model).changed) == 4
    assert len(list(client(hub).list_repo_commits(TO))) == 2
    assert sent(hub, model).changed == ()


def test_no_login_no_network_and_switched_off(
    hub: Hub, model: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(PushError, match=r"not logged in to the Hub: log in with `hf auth login`"):
        signed_in(HfApi(endpoint=hub.endpoint))
    nowhere = HfApi(endpoint="http://127.0.0.1:1", token=TOKEN)
    with pytest.raises(PushError, match=r"no connection to http://127.0.0.1:1: once there is one"):
        send(nowhere, model, wait=0.01)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PushError, match=r"switched off \(HF_HUB_OFFLINE\)"):
        send(client(hub), model, wait=1000)  # and not tried again


def test_a_hub_without_xet_is_told_how_to_do_without(hub: Hub, model: Wanted, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hf_xet")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    assert refused(hub, model).endswith("has no Xet storage: set HF_HUB_DISABLE_XET=1 and push again")


@pytest.mark.parametrize("file", [run.LOG, f"{run.MODEL}/config.json", f"{run.MODEL}/model.safetensors"])
def test_a_secret_anywhere_stops_the_push_before_the_network(hub: Hub, folder: Path, file: str) -> None:
    path = folder / file
    if path.suffix == ".safetensors":
        header = json.dumps({"__metadata__": {"author": TOKEN}}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + WEIGHTS)
        line = 1
    else:
        path.write_text(path.read_text().rstrip("}\n") + f'\n, "key": "{TOKEN}"}}\n')
        line = path.read_text().split("\n").index(f', "key": "{TOKEN}"}}') + 1
    where = file.removeprefix("model/")
    with pytest.raises(PushError) as caught:
        pushed(hub, folder)
    assert str(caught.value).splitlines() == [
        "nothing was pushed; mend a place that must not be published",
        f"  {where}:{line}  a Hugging Face token",
    ]
    assert hub.seen() == (0, 0)


def test_a_dry_run_tells_every_file_and_needs_no_network(folder: Path) -> None:
    with (folder / run.LOG).open("a") as log:
        log.write("AKIA" + "ABCDEFGH12345678\n")
    (wanted,) = plan(folder, TO)
    words = in_words(wanted)
    assert f"model {TO}" in words and re.search(r"model\.safetensors +400,\d\d\d\n", words)
    assert "must not go: log.jsonl:" in words and "an AWS key" in words and "AKIA" not in words
    for name, why in {
        "model/optimizer.pt": "a pickle, which runs code when it is loaded",
        "model/training_args.bin": "a pickle, which runs code when it is loaded",
        "model/.secret": "hidden",
        "predictions.jsonl": "transcripts of test clips",
        "audio": "recordings of test clips",
        "checkpoints": "states of an unfinished training",
    }.items():
        assert f"  {name} stays here: {why}\n" in words
    assert "  report.html shows transcripts of test clips\n" in words
    assert not any(file.path.startswith(("predictions", "audio", ".")) for file in wanted.files)


def test_a_link_out_of_the_model_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.json").write_text("{}")
    (folder / run.MODEL / "extra.json").symlink_to(tmp_path / "private.json")
    (wanted,) = plan(folder, TO)
    assert "model/extra.json stays here: a link to somewhere else" in wanted.notes
    assert "extra.json" not in [file.path for file in wanted.files]


def test_where_to_is_in_the_recipe_or_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PushError, match="give --to USER/NAME"):
        settings(folder)
    assert settings(folder, TO).to == TO
    text = (folder / run.RECIPE).read_text()
    (folder / run.RECIPE).write_text(text.replace("  to: null\n", f"  to: {TO}\n"))
    assert settings(folder).to == TO and settings(folder, "anna/other").to == "anna/other"
    with pytest.raises(run.RunError, match="is no run folder"):
        settings(tmp_path)


def test_an_unfinished_run_and_one_without_a_baseline(folder: Path) -> None:
    (folder / run.BASELINE / run.RESULTS).unlink()
    with pytest.raises(PushError, match="has no finished baseline/"):
        plan(folder, TO, baseline=True)
    (folder / run.RESULTS).unlink()
    with pytest.raises(run.RunError, match="unfinished"):
        plan(folder, TO)
