"""What a Hub says no with, in words that say what to do; and trying again what may pass."""

import re
import time
from collections.abc import Callable
from typing import Any, TypeVar

from huggingface_hub import get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

from hf_asr.errors import UserError
from hf_asr.publish.scan import SECRETS

TRIES = 3
LOGIN = "log in with `hf auth login`, or set HF_TOKEN (a token with write access: huggingface.co/settings/tokens)"
_OF_ROOM = re.compile(r"storage limit|storage patterns|quota|limit reached|too large|payment", re.IGNORECASE)
AGAIN = "the same command goes on with what is missing"

Result = TypeVar("Result")


class PushError(UserError):
    """The run cannot be pushed; the message says why and what to do."""


def attempt(
    do: Callable[[], Result],
    api: Any,
    repository: str,
    wait: float,
    tell: Callable[[str], None],
    tries: int = TRIES,
) -> Result:
    """What `do` returns; what passes (no connection, too many requests, a fault of the server) is tried again.

    wait: seconds before the second try, four times as many before each that follows. Raises PushError in the end.
    """
    for number in range(tries):
        try:
            return do()
        except Exception as error:
            cause = _cause(error)
            refusal = explained(cause, api, repository)
            if refusal is None:
                raise
            if number == tries - 1 or not passes(cause):
                raise refusal from None
            seconds = wait * 4**number
            tell(f"  {str(refusal).partition(': ')[0]}; trying again in {seconds:g} s")
            time.sleep(seconds)
    raise AssertionError("unreachable")


def passes(error: BaseException) -> bool:
    """Whether trying again may help."""
    if isinstance(error, OfflineModeIsEnabled):  # to Python it is a ConnectionError
        return False
    status = _status(error)
    if _of_storage(error) and status == 403:  # a signed address is good for some time only; the next try gets a new one
        return not _OF_ROOM.search(str(error))
    return status in (408, 409, 429, 500, 502, 503, 504) if status else _of_network(error)


def explained(error: BaseException, api: Any, repository: str) -> PushError | None:
    """The refusal in words, or None for a fault of the program."""
    said = _said(error, api.token)
    if isinstance(error, OfflineModeIsEnabled):
        return PushError("the Hub is switched off (HF_HUB_OFFLINE): unset that and push again")
    if isinstance(error, LocalTokenNotFoundError):
        return PushError(f"not logged in to the Hub: {LOGIN}")
    if "xet-write-token" in str(error):
        return PushError(f"the Hub at {api.endpoint} has no Xet storage: set HF_HUB_DISABLE_XET=1 and push again")
    if isinstance(error, HfHubHTTPError):
        return PushError(_answered(error, said, api, repository))
    if isinstance(error, HFValidationError):
        return PushError(f"{repository!r} cannot be a repository: write USER/NAME of letters, digits, `-`, `_` and `.`")
    if _of_network(error):
        return PushError(f"no connection to {api.endpoint}: once there is one, {AGAIN}")
    if isinstance(error, ValueError) and "README.md" in said:
        return PushError(f"the Hub does not take the card of {repository}: {said}: mend the recipe or README.md")
    if isinstance(error, ValueError) and "LFS" in said:
        return PushError(f"the Hub does not take a file for {repository}: {said}")
    return None


def _answered(error: HfHubHTTPError, said: str, api: Any, repository: str) -> str:
    status = _status(error)
    if status == 401 and not isinstance(error, RepositoryNotFoundError):
        return f"the Hub does not know this token (revoked, or not whole?): {LOGIN}"
    if status in (402, 403, 413, 507) and _OF_ROOM.search(said):
        return f"no room for {repository} on the Hub ({said}): remove old repositories, or ask for more storage"
    if status == 403 and _of_storage(error):
        return f"the storage of the Hub did not take a file for {repository} ({said}): {AGAIN}"
    if status in (401, 403):
        return f"no permission to write to {repository}{_as_whom(api)} ({said}): another --to, or a token that may"
    if status == 404:
        return f"{repository} is not on the Hub, or this login may not see it: check --to, or {LOGIN}"
    if status == 409:
        return f"the name {repository} is taken, or being changed by somebody just now: another --to, or push again"
    if status == 412:
        return (
            f"somebody else committed to {repository} while this was being pushed: nothing was overwritten;"
            " look at it on the Hub, then `--pr` opens a pull request"
        )
    if status == 429:
        return f"too many requests to the Hub: after some minutes {AGAIN}"
    if status >= 500:
        return f"the Hub has trouble of its own ({status}): later {AGAIN}"
    return f"the Hub refused {repository} ({status}: {said})"


def _as_whom(api: Any) -> str:
    try:
        return f" as {api.whoami()['name']}"
    except Exception:  # it is for the message only
        return ""


def _cause(error: BaseException) -> BaseException:
    """What the client's wrapper around an upload in a thread is about."""
    while isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException) -> int:
    return int(error.response.status_code) if isinstance(error, HfHubHTTPError) else 0


def _of_storage(error: BaseException) -> bool:
    """Whether it was where large files are put, which is told from the Hub itself by what is asked of it."""
    if not isinstance(error, HfHubHTTPError):
        return False
    request = error.response.request
    return request.method == "PUT" and "/api/" not in str(request.url)


def _of_network(error: BaseException) -> bool:
    # by name: the client's HTTP library is httpx in one version and httpx2 in another
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & {"TransportError", "ConnectionError", "TimeoutError"})


def _said(error: BaseException, token: Any) -> str:
    """The Hub's own words on one line, cut short, without control characters and whatever looks like a secret."""
    text = str(getattr(error, "server_message", None) or error)
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    for secret in (token, get_token()):
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    for _, pattern in SECRETS:
        text = pattern.sub("***", text)
    return text[:200].rstrip(".")
