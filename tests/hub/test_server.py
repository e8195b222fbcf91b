"""The Hub of the tests refuses what the real one refuses; else a push that passes here would say little."""

from collections.abc import Iterator
from hashlib import sha256

import httpx2
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from tests.hub.server import Hub, serving
from tests.hub.store import User

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TO = "anna/speech"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with serving() as hub:
        hub.store.users = {"hf_anna": User("anna", ("choir",)), "hf_ben": User("ben")}
        HfApi(hub.endpoint, "hf_anna").create_repo(TO)
        yield hub


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return int(error.value.response.status_code)


def test_a_pointer_to_nothing_is_no_commit(hub: Hub) -> None:
    weights = CommitOperationAdd("model.safetensors", b"weights")
    weights._is_uploaded, weights._upload_mode, weights._should_ignore = True, "lfs", False  # as if it were
    with pytest.raises(HfHubHTTPError, match="LFS pointer pointed to a file that does not exist") as caught:
        HfApi(hub.endpoint, "hf_anna").create_commit(TO, [weights], commit_message="Weights")
    assert status(caught) == 400


def test_an_object_is_what_its_address_says(hub: Hub) -> None:
    address = f"{hub.endpoint}/storage/model/{TO}/{sha256(b'weights').hexdigest()}"
    assert httpx2.put(address, content=b"others").status_code == 400
    assert httpx2.put(address, content=b"weights").status_code == 200
    assert hub.store.repositories["model", TO].objects == {sha256(b"weights").hexdigest(): b"weights"}


def test_who_may_see_and_write_what(hub: Hub) -> None:
    anna, ben, nobody = (HfApi(hub.endpoint, token) for token in ("hf_anna", "hf_ben", False))
    anna.create_repo("choir/voices", private=True)
    assert anna.repo_info("choir/voices").private
    for api, code in ((ben, 404), (nobody, 401)):
        with pytest.raises(RepositoryNotFoundError) as missing:
            api.repo_info("choir/voices")
        assert status(missing) == code
    assert nobody.repo_info(TO).id == TO
    card = [CommitOperationAdd("README.md", b"---\nlicense: mit\n---\n")]
    with pytest.raises(HfHubHTTPError) as caught:
        ben.create_commit(TO, card, commit_message="Mine")
    assert status(caught) == 403
    assert ben.create_commit(TO, card, commit_message="For you", create_pr=True).pr_num == 1  # what is small
    weights = [CommitOperationAdd("model.safetensors", b"weights")]
    with pytest.raises(HfHubHTTPError) as caught:  # but nothing large into other people's storage
        ben.create_commit(TO, weights, commit_message="For you", create_pr=True)
    assert status(caught) == 403


def test_a_commit_names_a_parent_that_is_the_head(hub: Hub) -> None:
    api = HfApi(hub.endpoint, "hf_anna")
    first = api.repo_info(TO).sha
    api.create_commit(TO, [CommitOperationAdd("a", b"a")], commit_message="A", parent_commit=first)
    for parent, code in ((first, 412), ("0" * 40, 404)):
        with pytest.raises(HfHubHTTPError) as caught:
            api.create_commit(TO, [CommitOperationAdd("b", b"b")], commit_message="B", parent_commit=parent)
        assert status(caught) == code
    assert api.list_repo_files(TO) == [".gitattributes", "a"]


CARDS = {
    "license: nobody-knows": '"license"',
    "language: 7": '"language"',
    "base_model: a b": '"base_model"',
    "tags: hf-asr": '"tags"',
    "model-index: [{name: x, results: [{task: {}}]}]": "model-index",
    "a: [": "YAML",
}


@pytest.mark.parametrize(("metadata", "message"), CARDS.items())
def test_metadata_are_looked_at(hub: Hub, metadata: str, message: str) -> None:
    card = [CommitOperationAdd("README.md", f"---\n{metadata}\n---\n".encode())]
    with pytest.raises(ValueError, match=message):
        HfApi(hub.endpoint, "hf_anna").create_commit(TO, card, commit_message="Card")
