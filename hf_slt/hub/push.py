"""Push a trained model: one commit, after everything large has arrived, so that a broken push leaves the last one."""

from __future__ import annotations

import logging
import re
import shutil
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

from hf_slt.data.staging import staged_folder
from hf_slt.errors import ConfigurationError
from hf_slt.hub.contents import (
    ABOUT,
    LOADING,
    ONNX,
    WEIGHTS,
    check_model,
    published_files,
    report_gaps,
    stage_model,
)
from hf_slt.hub.errors import HubError, hub_errors
from hf_slt.model_card import load_card_info
from hf_slt.model_card.card import CURVES, PICTURES
from hf_slt.model_card.run_files import METRICS
from hf_slt.models.auto import GLOSS_FAMILIES

logger = logging.getLogger(__name__)

MARKER = ".hf_slt_model"  # the file by which a folder of --output is known
MESSAGE = "Push model with hf_slt"
_CLASS_FILES = ("configuration", "feature_extraction", "modeling", "pipeline", "processing")
_CODE = (
    "hf_slt_*.py",
    *(f"{kind}_{n}.py" for kind in _CLASS_FILES for n in ("multistream", "custom_decoder", "gloss", *GLOSS_FAMILIES)),
)
_IN_THE_ROOT = (*WEIGHTS, *LOADING, *ABOUT, *_CODE, CURVES)


@dataclass(frozen=True)
class PushedModel:
    """What a push put, or with `dry_run` would put, where.

    Attributes:
        repo: Name of the repository, `user/name`.
        url: Its page.
        commit: Id of the commit; None where nothing was uploaded.
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
    output: str | Path | None = None,
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
        output: Folder to write them to, the card with them, in place of uploading them; as `dry_run` otherwise. What
            an earlier call wrote there is replaced.

    Returns:
        Where it is, and the files.

    Raises:
        ConfigurationError: The folder, the name, the info, the token file or `output` is not usable.
        HubError: No token, or the hub refuses it or the upload, or cannot be reached.
    """
    folder = Path(folder)
    check_repo_name(repo)
    check_model(folder)
    info = None if card_info is None else load_card_info(card_info)
    report_gaps(folder)
    if dry_run or output is not None:
        with staged_model(folder, repo, info) as staged:
            if output is not None:
                write_staged(staged, folder, Path(output))
            return PushedModel(repo, f"{constants.ENDPOINT}/{repo}", None, published_files(staged))
    api = HfApi(token=find_token(token_file))
    repo = full_name(api, repo)
    with staged_model(folder, repo, info) as staged:
        return upload_model(api, staged, repo, private or None, revision, message)


def write_staged(staged: Path, folder: Path, output: Path) -> None:
    """Write what would be uploaded to a folder, weights and all, or nothing.

    Args:
        staged: The folder of `stage_model`.
        folder: The folder of the run.
        output: The folder to write.

    Raises:
        ConfigurationError: It holds something else, or lies in the folder of the run or around it.
    """
    source, place = folder.resolve(), output.resolve()
    if place.is_relative_to(source) or source.is_relative_to(place):
        raise ConfigurationError(f"expected a folder outside of that of the model in --output, found {output}")
    with staged_folder(output, overwrite=True, marks=((MARKER,),), what="a model of --output") as target:
        shutil.copytree(staged, target, dirs_exist_ok=True)  # links become files
        (target / MARKER).write_text("written by scripts/push_model.py --output\n", encoding="utf-8")


def full_name(api: HfApi, repo: str) -> str:
    """Return `user/name` of a repository, after a question that tells whether the hub takes the token.

    Raises:
        HubError: It does not, or cannot be reached.
    """
    with hub_errors(repo, _secret(api)):
        user = dict(api.whoami()).get("name")
    if not user:
        raise HubError(f"expected a hub at {constants.ENDPOINT}, found an answer without a user (check HF_ENDPOINT)")
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
        ConfigurationError: The file cannot be read, or holds what cannot be a token.
        HubError: There is no token, or what is there cannot be one.
    """
    if token_file is not None:
        try:
            token = Path(token_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"expected a token in the file {token_file}, found: {error}") from error
        if not _can_be_a_token(token):
            raise ConfigurationError(
                f"expected a file that holds a token and nothing else, found another: {token_file}"
            )
        return token
    if token := get_token():
        if _can_be_a_token(token):
            return token
        raise HubError(
            "expected a token of letters, digits and signs in HF_TOKEN (or of `hf auth login`), found other characters "
            "in it; copy it once more"
        )
    raise HubError(
        f"expected a token that may write to the hub, found none; make one at {constants.ENDPOINT}/settings/tokens, "
        f"then run `hf auth login`, set HF_TOKEN, or give --token-file"
    )


def _can_be_a_token(text: str) -> bool:
    """Tell whether a header of a request can carry it."""
    return bool(re.fullmatch(r"[!-~]+", text))


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
        if stale:
            logger.info(f"taken out of {repo}, since they are of an earlier push: {', '.join(stale)}")
        operations = [
            *(CommitOperationDelete(path) for path in stale),
            *(CommitOperationAdd(path, str(staged / path)) for path in files),
        ]
        done = api.create_commit(repo, operations, commit_message=message or MESSAGE, revision=revision)
    return PushedModel(repo, f"{constants.ENDPOINT}/{repo}", done.oid, files)


def stale_files(there: Iterable[str], new: Iterable[str]) -> list[str]:
    """Return the files of an earlier push, whatever the model was, that the new one does not replace.

    They would be loaded beside the new ones, or tell scores of other weights. What no push puts there stays.

    Args:
        there: Paths of the files in the repository.
        new: Paths of those that are pushed.
    """
    kept, paths = set(new), list(there)
    exports = {path.rpartition("/")[0] for path in paths if _matches(path, ONNX)}
    return sorted(path for path in paths if path not in kept and _is_pushed(path, exports))


def _is_pushed(path: str, exports: set[str]) -> bool:
    folder, _, name = path.rpartition("/")
    if folder in exports and _matches(name, (*ONNX, *LOADING)):
        return True
    if folder.startswith("eval_") and "/" not in folder:
        return name == METRICS or name in PICTURES
    return not folder and _matches(name, _IN_THE_ROOT)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
