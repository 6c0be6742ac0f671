"""What the hub of the tests keeps: repositories of commits, and the bytes of their files by content."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# As the hub's own .gitattributes for new repositories, as far as these tests have such files.
LFS_SUFFIXES = (".safetensors", ".bin", ".onnx", ".data", ".parquet", ".arrow", ".npz", ".pt", ".model", ".zip")
LFS_SIZE = 10 * 2**20


class HubError(Exception):
    """A request that the hub refuses: a status, a message and the code that clients tell errors apart by."""

    def __init__(self, status: int, message: str, code: str = ""):
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Blob:
    """One file of a commit: its bytes are in the storage under `sha256`; `oid` is the id that git would give it."""

    size: int
    sha256: str
    oid: str
    is_lfs: bool

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_lfs else self.oid

    def described(self, path: str) -> dict[str, Any]:
        lfs = {"lfs": {"oid": self.sha256, "size": self.size, "pointerSize": 134}} if self.is_lfs else {}
        return {"type": "file", "path": path, "size": self.size, "oid": self.oid, **lfs}


@dataclass(frozen=True)
class Commit:
    oid: str
    title: str
    parent: str | None
    files: dict[str, Blob]


@dataclass
class Repository:
    """A repository of a model or a data set: commits by id, and branches and tags by name."""

    id: str
    kind: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, dict[str, str]] = field(default_factory=lambda: {"branches": {}, "tags": {}})

    def add(self, files: dict[str, Blob], title: str, branch: str = "main") -> Commit:
        parent = self.refs["branches"].get(branch)
        listing = sorted((path, blob.etag) for path, blob in files.items())
        oid = hashlib.sha1(json.dumps([parent, title, listing, len(self.commits)]).encode()).hexdigest()
        self.commits[oid] = Commit(oid, title, parent, files)
        self.refs["branches"][branch] = oid
        return self.commits[oid]

    def at(self, revision: str) -> Commit:
        """Return the commit that a branch, a tag or an id (also its first digits) names."""
        named = self.refs["branches"].get(revision) or self.refs["tags"].get(revision)
        for oid in [named] if named else [oid for oid in self.commits if oid.startswith(revision)]:
            return self.commits[oid]
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def history(self, revision: str) -> list[Commit]:
        commits, oid = [], self.at(revision).oid
        while oid is not None:
            commits.append(self.commits[oid])
            oid = self.commits[oid].parent
        return commits


class Storage:
    """Bytes by their SHA-256 in a folder, and the repositories that refer to them.

    Args:
        folder: Where the bytes go.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.lock = threading.RLock()

    def path_of(self, sha256: str) -> Path:
        return self.folder / sha256

    def keep(self, content: bytes, expected: str | None = None) -> str:
        """Store bytes; with `expected`, refuse others than those of that SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        if expected not in (None, sha256):
            raise HubError(400, f"expected content of sha256 {expected}, found {sha256}")
        self.path_of(sha256).write_bytes(content)
        return sha256

    def regular(self, content: bytes) -> Blob:
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return Blob(len(content), self.keep(content), oid, False)

    def large(self, sha256: str) -> Blob:
        if not self.path_of(sha256).exists():
            raise HubError(400, f"lfs pointer to {sha256}, which was never uploaded")
        size = self.path_of(sha256).stat().st_size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return Blob(size, sha256, hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest(), True)

    def create(self, kind: str, name: str, private: bool) -> Repository:
        with self.lock:
            if (kind, name) in self.repositories:
                raise HubError(409, "You already created this repo")
            repository = self.repositories[kind, name] = Repository(name, kind, private)
            repository.add({".gitattributes": self.regular(b"*.safetensors filter=lfs\n")}, "initial commit")
            return repository

    def commit(self, repository: Repository, branch: str, lines: list[dict[str, Any]]) -> Commit:
        """Apply the lines of a commit, all of them or none."""
        header, parent = lines[0]["value"], repository.at(branch)
        if branch not in repository.refs["branches"]:
            raise HubError(400, f"{branch} is no branch")
        if header.get("parentCommit", parent.oid) != parent.oid:
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(parent.files)
        for line in lines[1:]:
            self._apply(files, line["key"], line["value"])
        return repository.add(files, header["summary"], branch)

    def _apply(self, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        path = value["path"]
        if key == "file":
            assert value["encoding"] == "base64"
            files[path] = self.regular(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            files[path] = self.large(value["oid"])
        elif key in ("deletedFile", "deletedFolder"):
            gone = [name for name in files if name == path or name.startswith(path.rstrip("/") + "/")]
            if not gone:
                raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
            for name in gone:
                del files[name]
        else:
            raise HubError(400, f"unknown operation {key}")


def is_large(path: str, size: int) -> bool:
    return path.endswith(LFS_SUFFIXES) or size > LFS_SIZE


def tree_of(files: dict[str, Blob], folder: str, recursive: bool) -> list[dict[str, Any]]:
    """Describe what is in a folder, `""` for all; folders come once, before what is in them.

    Raises:
        HubError: There is no such folder.
    """
    prefix = f"{folder}/" if folder else ""
    inside = sorted(path for path in files if path.startswith(prefix))
    if folder and not inside:
        raise HubError(404, f"{folder} does not exist", "EntryNotFound")
    entries: dict[str, dict[str, Any]] = {}
    for path in inside:
        parts = path.removeprefix(prefix).split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            name = prefix + "/".join(parts[:depth])
            oid = hashlib.sha1(name.encode()).hexdigest()
            entries.setdefault(name, {"type": "directory", "path": name, "size": 0, "oid": oid})
        if recursive or len(parts) == 1:
            entries[path] = files[path].described(path)
    return list(entries.values())
