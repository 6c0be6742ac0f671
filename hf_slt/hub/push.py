"""Push a trained model: one commit, after everything large has arrived, so that a broken push leaves the last one."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from hf_slt.errors import ConfigurationError
from hf_slt.hub.contents import WEIGHTS, check_model, published_files, report_gaps, stage_model
from hf_slt.hub.errors import HubError, hub_errors
from hf_slt.model_card import load_card_info

logger = logging.getLogger(__name__)

MESSAGE = "Push model with hf_slt"
# Of an earlier push, these would be loaded beside the new files; everything else in the repository stays.
_REPLACED = (*WEIGHTS, "hf_slt_*.py")


@dataclass(frozen=True)
class PushedModel:
    """What a push put, or with `dry_run` would put, where.

    Attributes:
        repo: Name of the repository, `user/name`.
        url: Its page.
        commit: Id of the commit; None for a dry run.
        files: Path -> size in bytes.
    """

    repo: str
    url: str
    commit: str | None
    files: dict[str, int]


def push_model(
    folder: str | Path,
    repo: str,
    private: bool = False,
    card_info: str | Path | None = None,
    revision: str | None = None,
    message: str | None = None,
    token_file: str | Path | None = None,
    dry_run: bool = False,
) -> PushedModel:
    """Publish the model in a folder, with its card, its code and its scores, and nothing else of the folder.

    Args:
        folder: The folder of a run, of an evaluated or converted model, or of an ONNX export; it is left as it is.
        repo: The repository, `user/name` or `name`; made if there is none.
        private: Make it private; one that is there already has to be private then.
        card_info: YAML file of facts for the card.
        revision: The branch, made if there is none (default: main).
        message: First line of the commit.
        token_file: File that holds the token (default: HF_TOKEN, or that of `hf auth login`).
        dry_run: Only prepare and list the files; needs no token and no network.

    Returns:
        Where it is, and the files.

    Raises:
        ConfigurationError: The folder, the name, the info or the token file is not usable.
        HubError: No token, or the hub refuses it or the upload, or cannot be reached.
    """
    folder = Path(folder)
    check_repo_name(repo)
    check_model(folder)
    info = None if card_info is None else load_card_info(card_info)
    report_gaps(folder)
    if dry_run:
        with staged_model(folder, repo, info) as staged:
            return PushedModel(repo, f"{constants.ENDPOINT}/{repo}", None, published_files(staged))
    api = HfApi(token=find_token(token_file))
    repo = full_name(api, repo)
    with staged_model(folder, repo, info) as staged:
        return upload_model(api, staged, repo, private or None, revision, message)


def full_name(api: HfApi, repo: str) -> str:
    """Return `user/name` of a repository, after a question that tells whether the hub takes the token.

    Raises:
        HubError: It does not, or cannot be reached.
    """
    with hub_errors(repo, _secret(api)):
        user = api.whoami()["name"]
    return repo if "/" in repo else f"{user}/{repo}"


def _secret(api: HfApi) -> str | None:
    return api.token if isinstance(api.token, str) else None


def check_repo_name(repo: str) -> None:
    """Check the name of a repository.

    Raises:
        ConfigurationError: It cannot be one.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise ConfigurationError(f"expected a repository, user/name or name, found '{repo}': {error}") from error


def find_token(token_file: str | Path | None = None) -> str:
    """Return the token in a file, in HF_TOKEN or of `hf auth login`, in this order.

    Raises:
        ConfigurationError: The file cannot be read, or is empty.
        HubError: There is no token.
    """
    if token_file is not None:
        try:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"expected a token in the file {token_file}, found: {error}") from error
        if len(token.split()) != 1:
            raise ConfigurationError(
                f"expected a file that holds a token and nothing else, found another: {token_file}"
            )
        return token
    if token := get_token():
        return token
    raise HubError(
        f"expected a token that may write to the hub, found none; make one at {constants.ENDPOINT}/settings/tokens, "
        f"then run `hf auth login`, set HF_TOKEN, or give --token-file"
    )


@contextmanager
def staged_model(
    folder: Path, repo: str, card_info: dict[str, Any] | None = None, weights: Path | None = None
) -> Iterator[Path]:
    """Give a temporary folder that holds what `stage_model` lays out."""
    with tempfile.TemporaryDirectory(prefix="hf_slt_push_") as staged:
        stage_model(folder, Path(staged), repo, card_info, weights)
        yield Path(staged)


def upload_model(
    api: HfApi,
    staged: Path,
    repo: str,
    private: bool | None = None,
    revision: str | None = None,
    message: str | None = None,
) -> PushedModel:
    """Upload a staged model as one commit.

    `upload_folder` is not what does it: from huggingface_hub 1.x on it may split a folder into several commits, of
    which the first leave a repository that does not load.

    Args:
        api: The client, with its token.
        staged: The folder of `stage_model`.
        repo: The repository, made if there is none.
        private: True: it has to be private; None: as the hub makes it, or as it is.
        revision: The branch, made if there is none.
        message: First line of the commit.

    Raises:
        HubError: The hub refuses, or cannot be reached; an earlier push is still there, whole.
    """
    files = published_files(staged)
    with hub_errors(repo, _secret(api)):
        repo = api.create_repo(repo, private=private, exist_ok=True).repo_id
        if private and not api.model_info(repo).private:
            raise HubError(
                f"expected a private repository, found the public {repo}; nothing was uploaded: make it private in its "
                f"settings, choose another name, or leave --private out"
            )
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        stale = stale_files(api.list_repo_files(repo, revision=revision), files)
        operations = [
            *(CommitOperationDelete(path) for path in stale),
            *(CommitOperationAdd(path, str(staged / path)) for path in files),
        ]
        done = api.create_commit(repo, operations, commit_message=message or MESSAGE, revision=revision)
    return PushedModel(repo, f"{constants.ENDPOINT}/{repo}", done.oid, files)


def stale_files(there: Iterable[str], new: Iterable[str]) -> list[str]:
    """Return the weights and code of an earlier push that the new one does not replace."""
    kept = set(new)
    return sorted(p for p in there if p not in kept and any(fnmatch(p, pattern) for pattern in _REPLACED))
