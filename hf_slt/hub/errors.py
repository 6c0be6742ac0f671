"""What goes wrong between here and the hub, said for the person who has to act on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError

from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

from hf_slt.errors import HfSltError

# huggingface_hub 0.x talks through requests, later ones through httpx: their errors of connections share no class.
_TRANSPORTS = ("requests", "urllib3", "httpx", "httpx2", "httpcore", "httpcore2")
_LEFT = "nothing in the repository was changed"


class HubError(HfSltError):
    """The hub cannot be reached, or refuses what was asked; the repository is as it was."""


@contextmanager
def hub_errors(repo: str, token: str | None = None) -> Iterator[None]:
    """Turn what the hub's client raises in the block into a [`HubError`].

    Args:
        repo: The repository that is talked about.
        token: The token in use, which no message repeats.

    Raises:
        HubError: Whatever the hub, the storage behind it or the connection failed with.
    """
    try:
        yield
    except HfSltError:
        raise
    except Exception as error:
        message = explain(error, repo)
        if message is None:
            raise
        raise HubError(message.replace(token, "<token>") if token else message) from error


def explain(error: BaseException, repo: str) -> str | None:
    """Return what an error of the hub's client means and what to do; None if it is none of the hub.

    Args:
        error: The error; what it was raised from is looked at as well.
        repo: The repository that is talked about.
    """
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    if any(isinstance(one, OfflineModeIsEnabled) for one in chain):
        return "expected to reach the hub, found offline mode (HF_HUB_OFFLINE is set); unset HF_HUB_OFFLINE"
    for one in reversed(chain):
        response = getattr(one, "response", None)
        if response is not None:
            return _of_status(response.status_code, _reason(response, one), error, repo)
    if any(type(one).__module__.partition(".")[0] in _TRANSPORTS or isinstance(one, ConnectionError) for one in chain):
        return (
            f"expected to reach the hub at {constants.ENDPOINT}, found: {_first_line(chain[-1])}; {_LEFT}: check the "
            f"connection (and HF_ENDPOINT, if it is set) and push again"
        )
    if isinstance(error, UnicodeEncodeError):
        return "expected a token of letters, digits and signs, found other characters in it; copy it once more"
    if isinstance(error, JSONDecodeError):
        return f"expected the hub at {constants.ENDPOINT} to answer, found what is no JSON; {_LEFT}: check HF_ENDPOINT"
    return _broken_off(f"found: {_first_line(error)}") if isinstance(error, RuntimeError) else None


def _broken_off(found: str) -> str:
    return f"expected to upload all files, {found}; {_LEFT}: push again, and what has arrived is not sent a second time"


def _of_status(status: int, reason: str, error: BaseException, repo: str) -> str:
    found = f"found status {status} ({reason})"
    if isinstance(error, RuntimeError):  # the client's words for an upload to the storage that broke off
        return _broken_off(f"{found}: {_first_line(error)}")
    namespace = repo.partition("/")[0]
    if status == 401:
        return (
            f"expected a token that the hub at {constants.ENDPOINT} knows, {found}; the one of HF_TOKEN, of "
            f"`hf auth login` or of --token-file is wrong or has expired: make a new one at "
            f"{constants.ENDPOINT}/settings/tokens"
        )
    if status == 403:
        return (
            f"expected a token that may write to {repo}, {found}; {_LEFT}: use a token with the role 'write' of a "
            f"member of '{namespace}', or another repository"
        )
    if status == 404:
        return f"expected the repository {repo}, or its branch, {found}; check their names and the rights of the token"
    if status in (409, 412):
        return f"expected no other push to {repo} at the same time, {found}; {_LEFT} by this one: push again"
    if status >= 500:
        return f"expected an answer of the hub, {found}; {_LEFT}: try again later"
    return f"expected the hub to take this, {found}: {_first_line(error)}; {_LEFT}"


def _reason(response: object, error: BaseException) -> str:
    given = getattr(response, "headers", {}).get("X-Error-Message")
    return given or getattr(response, "reason_phrase", None) or getattr(response, "reason", None) or _first_line(error)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
