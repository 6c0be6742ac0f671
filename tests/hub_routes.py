"""The routes of the hub of the tests: what each request answers."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs

from hub_metadata import metadata_errors
from hub_storage import Blob, HubError, is_large, tree_of

REPO = r"(?P<name>[^/]+/[^/]+)"
API = rf"/api/(?P<kind>model|dataset)s/{REPO}"
RESOLVE = rf"/(?P<prefix>datasets/)?{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)"
GIT = rf"/(?P<prefix>datasets/)?{REPO}\.git/info/lfs"
STORAGE = r"/storage/(?P<signature>[0-9a-f]+)/(?P<oid>[0-9a-f]{64})"
PAGE = 3  # entries of a page of a tree: clients have to follow the link to the next one


def whoami(request: Any) -> None:
    if request.user() is None:
        raise HubError(401, "Invalid username or password.")
    name = request.hub.user
    request.answer({"type": "user", "name": name, "fullname": name, "orgs": [], "auth": {"type": "access_token"}})


def create_repository(request: Any) -> None:
    given = json.loads(request.body)
    name, kind = f"{given.get('organization') or request.hub.user}/{given['name']}", given.get("type") or "model"
    request.writer(name)
    url = f"{request.hub.endpoint}/{'datasets/' if kind == 'dataset' else ''}{name}"
    private = bool(given.get("private")) or given.get("visibility") == "private"
    try:
        request.hub.storage.create(kind, name, private)
    except HubError as error:  # the client takes the URL out of the refusal
        request.answer({"error": str(error), "url": url}, error.status)
    else:
        request.answer({"url": url, "name": name})


def delete_repository(request: Any) -> None:
    given = json.loads(request.body)
    name = f"{given.get('organization') or request.hub.user}/{given['name']}"
    request.writer(name)
    if request.hub.storage.repositories.pop((given.get("type") or "model", name), None) is None:
        raise HubError(404, "Repository not found", "RepoNotFound")
    request.answer({})


def validate_yaml(request: Any) -> None:
    errors = [{"message": message} for message in metadata_errors(json.loads(request.body)["content"])]
    request.answer({"errors": errors, "warnings": []}, 400 if errors else 200)


def information(request: Any) -> None:
    repository = request.repository()
    commit = repository.at(request.values.get("revision") or "main")
    blobs = "blobs" in request.query
    siblings = [{"rfilename": path} | (_sizes(blob) if blobs else {}) for path, blob in sorted(commit.files.items())]
    times = {"lastModified": "2026-01-01T00:00:00.000Z", "createdAt": "2026-01-01T00:00:00.000Z"}
    of = {"id": repository.id, "author": repository.id.split("/")[0], "sha": commit.oid, "private": repository.private}
    request.answer(
        of
        | times
        | {"gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
        | {"siblings": siblings}
    )


def _sizes(blob: Blob) -> dict[str, Any]:
    return {"size": blob.size, "blobId": blob.oid} | (
        {"lfs": {"size": blob.size, "sha256": blob.sha256, "pointerSize": 134}} if blob.is_lfs else {}
    )


def refs(request: Any) -> None:
    repository = request.repository()
    listed = {
        kind: [{"name": name, "ref": f"refs/{prefix}/{name}", "targetCommit": oid} for name, oid in named.items()]
        for (kind, named), prefix in zip(repository.refs.items(), ("heads", "tags"), strict=True)
    }
    request.answer(listed | {"converts": [], "pullRequests": []})


def change_ref(request: Any) -> None:
    repository = request.repository(write=True)
    is_tag = "/tag/" in request.path
    named, name = repository.refs["tags" if is_tag else "branches"], request.values["ref"]
    given = json.loads(request.body or b"{}")
    if request.command == "DELETE":
        named.pop(name, None)
    elif (given["tag"] if is_tag else name) in named:
        raise HubError(409, "Reference already exists")
    elif is_tag:
        named[given["tag"]] = repository.at(name).oid
    else:
        named[name] = repository.at(given.get("startingPoint", "main")).oid
    request.answer({})


def commits(request: Any) -> None:
    history = request.repository().history(request.values["revision"])
    when = "2026-01-01T00:00:00.000Z"
    request.answer(
        [{"id": one.oid, "title": one.title, "message": "", "date": when, "authors": []} for one in history],
    )


def tree(request: Any) -> None:
    commit = request.repository().at(request.values["revision"])
    is_recursive = request.query.get("recursive", "false").lower() in ("true", "1")
    entries = tree_of(commit.files, request.values.get("path", ""), is_recursive)
    entries = [_with_commit(entry, commit, request.query.get("expand", "")) for entry in entries]
    start = int(request.query.get("cursor", 0))
    headers = {}
    if start + PAGE < len(entries):
        path = request.path.split("?")[0]
        following = f"{request.hub.endpoint}{path}?recursive={is_recursive}&cursor={start + PAGE}"
        headers["Link"] = f'<{following}&expand={request.query.get("expand", "")}>; rel="next"'
    request.answer(entries[start : start + PAGE], headers=headers)


def _with_commit(entry: dict[str, Any], commit: Any, expand: str) -> dict[str, Any]:
    if expand.lower() not in ("true", "1"):
        return entry
    return entry | {"lastCommit": {"id": commit.oid, "title": commit.title, "date": "2026-01-01T00:00:00.000Z"}}


def paths_information(request: Any) -> None:
    commit = request.repository().at(request.values["revision"])
    if "json" in request.headers.get("Content-Type", ""):
        given = json.loads(request.body)
    else:
        given = parse_qs(request.body.decode())
    entries = {entry["path"]: entry for entry in tree_of(commit.files, "", True)}
    expand = str(given.get("expand", [""])[0] if isinstance(given.get("expand"), list) else given.get("expand"))
    found = [entries[path.strip("/")] for path in given.get("paths", []) if path.strip("/") in entries]
    request.answer([_with_commit(entry, commit, expand) for entry in found])


def preupload(request: Any) -> None:
    files = request.repository(write=True).at(request.values["revision"]).files
    request.answer(
        {"files": [_upload_mode(given, files.get(given["path"])) for given in json.loads(request.body)["files"]]}
    )


def _upload_mode(given: dict[str, Any], there: Blob | None) -> dict[str, Any]:
    mode = "lfs" if is_large(given["path"], given["size"]) else "regular"
    return {"path": given["path"], "uploadMode": mode, "shouldIgnore": False, "oid": there and there.etag}


def commit(request: Any) -> None:
    repository = request.repository(write=True)
    lines = [json.loads(line) for line in request.body.splitlines()]
    request.hub.plan("commit")
    with request.hub.storage.lock:
        made = request.hub.storage.commit(repository, request.values["revision"], lines)
    prefix = "datasets/" if repository.kind == "dataset" else ""
    url = f"{request.hub.endpoint}/{prefix}{repository.id}/commit/{made.oid}"
    request.answer({"success": True, "commitOid": made.oid, "commitUrl": url, "hookOutput": ""})


def lfs_batch(request: Any) -> None:
    request.repository(write=True)
    given = json.loads(request.body)
    assert given["operation"] == "upload" and given["hash_algo"] == "sha256", given
    hub, verify = request.hub, f"{request.hub.endpoint}{request.path.removesuffix('/objects/batch')}/verify"
    objects = []
    for one in given["objects"]:
        there = hub.storage.path_of(one["oid"]).exists()
        actions = {} if there else {"actions": {"upload": {"href": hub.signed(one["oid"])}, "verify": {"href": verify}}}
        objects.append({"oid": one["oid"], "size": one["size"], **actions})
    request.answer({"transfer": "basic", "objects": objects})


def lfs_verify(request: Any) -> None:
    request.repository(write=True)
    given = json.loads(request.body)
    path = request.hub.storage.path_of(given["oid"])
    if not path.exists() or path.stat().st_size != given["size"]:
        raise HubError(404, "the object was not uploaded")
    request.answer({})


def _check_signature(request: Any) -> None:
    if "Authorization" in request.headers:
        raise HubError(400, "the storage is not the hub: it must not see tokens")
    if request.values["signature"] != request.hub.signature(request.values["oid"]):
        raise HubError(403, "Request has expired")


def lfs_upload(request: Any) -> None:
    _check_signature(request)
    request.hub.plan("upload")
    request.hub.storage.keep(request.body, expected=request.values["oid"])
    request.answer(b"")


def lfs_content(request: Any) -> None:
    _check_signature(request)
    _send(request, request.hub.storage.path_of(request.values["oid"]).read_bytes(), {"ETag": request.values["oid"]})


def resolve(request: Any) -> None:
    commit = request.repository().at(request.values["revision"])
    blob = commit.files.get(request.values["path"])
    headers = {"X-Repo-Commit": commit.oid}
    if blob is None:
        message = "Entry not found"
        request.answer({"error": message}, 404, headers | {"X-Error-Code": "EntryNotFound", "X-Error-Message": message})
    elif blob.is_lfs:
        headers |= {"X-Linked-Size": str(blob.size), "X-Linked-ETag": f'"{blob.sha256}"'}
        request.answer(b"", 302, headers | {"Location": request.hub.signed(blob.sha256)})
    else:
        content = request.hub.storage.path_of(blob.sha256).read_bytes()
        _send(request, content, headers | {"ETag": f'"{blob.oid}"'})


def _send(request: Any, content: bytes, headers: dict[str, str]) -> None:
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    headers["Accept-Ranges"] = "bytes"
    if wanted is None:
        request.answer(content, headers=headers)
        return
    first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
    if first > last:
        raise HubError(416, "Requested Range Not Satisfiable")
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    request.answer(content[first : last + 1], 206, headers)


ROUTES = (
    ("GET", "/api/whoami-v2", whoami),
    ("POST", "/api/repos/create", create_repository),
    ("DELETE", "/api/repos/delete", delete_repository),
    ("POST", "/api/validate-yaml", validate_yaml),
    ("GET", API, information),
    ("GET", rf"{API}/revision/(?P<revision>[^/]+)", information),
    ("GET", f"{API}/refs", refs),
    ("POST DELETE", rf"{API}/(?:branch|tag)/(?P<ref>[^/]+)", change_ref),
    ("GET", rf"{API}/commits/(?P<revision>[^/]+)", commits),
    ("GET", rf"{API}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?", tree),
    ("POST", rf"{API}/paths-info/(?P<revision>[^/]+)", paths_information),
    ("POST", rf"{API}/preupload/(?P<revision>[^/]+)", preupload),
    ("POST", rf"{API}/commit/(?P<revision>[^/]+)", commit),
    ("POST", f"{GIT}/objects/batch", lfs_batch),
    ("POST", f"{GIT}/verify", lfs_verify),
    ("PUT", STORAGE, lfs_upload),
    ("GET HEAD", STORAGE, lfs_content),
    ("GET HEAD", RESOLVE, resolve),
)
