"""A small hub on loopback that speaks the HTTP API of huggingface.co, for the real client in processes of their own.

The client reads `HF_ENDPOINT` when it is imported, so what talks to the hub runs as a subprocess. In tests/hub, the
fixture `hub` is a running `Hub`:

    def test_push(hub, tmp_path):
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=hub.environment(tmp_path / "home"))
        files = hub.files("someone/model")                         # {path: bytes} of the branch main
        rows = hub.files("someone/data", kind="dataset", revision="main")

`environment(home)` holds the endpoint, a valid token (another one or None by `token=`), an empty `HF_HOME`, no offline
mode and no Xet. Elsewhere: `with Hub(tmp_path / "storage") as hub`. What may go wrong:

    hub.fail("upload", at=2)             # the second upload of a large file is answered with 403, later ones are not
    hub.fail("commit", status=507)       # the next commit; status 0 closes the connection instead
    hub.hold("upload")                   # the next upload waits; hub.held.wait() in the test, then kill the client

Served are models and data sets: whoami, creating and deleting repositories, refs, branches, tags, information, trees
in pages, paths-info, validate-yaml, preupload, LFS (batch, signed upload, verification), commits, resolve with ranges.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_routes import ROUTES
from hub_storage import HubError, Repository, Storage

ROOT = Path(__file__).parents[1]


class Hub:
    """A hub that listens on a free port of loopback between `start` and `stop`.

    Args:
        folder: Where the content of files is kept.

    Attributes:
        token: The token of the user `someone`, who may write to `someone/...`.
        read_token: A token that may only read.
        endpoint: The URL to give to clients.
        requests: Method, path and status of each request so far, in order.
        held: Set once a request is held.
    """

    user = "someone"

    def __init__(self, folder: Path):
        self.storage = Storage(folder)
        self.token, self.read_token = (f"hf_{secrets.token_hex(16)}" for _ in range(2))
        self.key = secrets.token_bytes(16)
        self.requests: list[tuple[str, str, int]] = []
        self.held, self._released = threading.Event(), threading.Event()
        self._plans: dict[str, list[int | None]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def environment(self, home: Path, token: str | None = "valid", **more: str) -> dict[str, str]:
        """Return the environment of a process that uses this hub; `home` is its `HF_HOME`."""
        own = {
            name: value for name, value in os.environ.items() if not re.match(r"(?i)HF_|TRANSFORMERS_|.*_PROXY", name)
        }
        path = [str(ROOT), str(ROOT / "tests"), *filter(None, [own.get("PYTHONPATH")])]
        # Code of other versions that PYTHONPATH puts first has to stay first.
        own |= {"PYTHONPATH": os.pathsep.join(path[2:] + path[:2]), "OMP_NUM_THREADS": "1", "HF_HOME": str(home)}
        own |= {"HF_ENDPOINT": self.endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        own |= {"HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1,localhost", "HF_HUB_ETAG_TIMEOUT": "30"}
        if token is not None:
            own["HF_TOKEN"] = self.token if token == "valid" else token
        return own | more

    def fail(self, what: str, at: int = 1, status: int = 403) -> None:
        """Answer the `at`-th of the next `upload`s or `commit`s with a status; 0 closes the connection."""
        self._plans[what] = [None] * (at - 1) + [status]

    def hold(self, what: str) -> None:
        """Let the next `upload` or `commit` wait until the hub stops."""
        self.fail(what, status=-1)

    def plan(self, what: str) -> None:
        """Do what was planned for this request.

        Raises:
            HubError: It was to fail.
        """
        status = self._plans[what].pop(0) if self._plans.get(what) else None
        if status == -1:
            self.held.set()
            self._released.wait()
            raise HubError(0, "the client is gone")
        elif status is not None:
            raise HubError(status, f"this {what} fails on purpose")

    def repository(self, name: str, kind: str = "model") -> Repository:
        return self.storage.repositories[kind, name]

    def files(self, name: str, kind: str = "model", revision: str = "main") -> dict[str, bytes]:
        """Return the content of all files of a revision."""
        files = self.repository(name, kind).at(revision).files
        return {path: self.storage.path_of(blob.sha256).read_bytes() for path, blob in files.items()}

    def signature(self, oid: str) -> str:
        return hmac.new(self.key, oid.encode(), "sha256").hexdigest()

    def signed(self, oid: str) -> str:
        # Another host to the client, as the storage of huggingface.co is: a token must not follow there.
        return f"http://localhost:{self._server.server_port}/storage/{self.signature(oid)}/{oid}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request after the other; each route is a method `do`."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def do(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.body = self._read()
        try:
            for method, pattern, route in ROUTES:
                match = re.fullmatch(pattern, url.path)
                if match and self.command in method.split():
                    self.values = {name: unquote(value or "") for name, value in match.groupdict().items()}
                    route(self)
                    return
            raise HubError(404, f"this hub does not serve {self.command} {url.path}")
        except HubError as error:
            if error.status == 0:
                self.close_connection = True
                return
            headers = {"X-Error-Message": str(error)} | ({"X-Error-Code": error.code} if error.code else {})
            self.answer({"error": str(error)}, error.status, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do  # noqa: N815 - names of http.server

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def answer(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.hub.requests.append((self.command, self.path, status))
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(value, bytes) else "application/json"
        for name, text in ({"Content-Type": kind, "Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Keep quiet; `Hub.requests` has it all."""

    def user(self) -> str | None:
        """Return `writer`, `reader` or None.

        Raises:
            HubError: The token is not one of this hub's.
        """
        given = self.headers.get("Authorization")
        if given is None:
            return None
        names = {f"Bearer {self.hub.token}": "writer", f"Bearer {self.hub.read_token}": "reader"}
        if given not in names:
            raise HubError(401, "Invalid credentials in Authorization header")
        return names[given]

    def writer(self, name: str) -> None:
        user = self.user()
        if user is None:
            raise HubError(401, "Invalid username or password.")
        if user == "reader" or name.split("/")[0] != self.hub.user:
            raise HubError(403, "You don't have the rights to do this under that namespace")

    def repository(self, write: bool = False) -> Repository:
        user = self.user()
        kind = self.values.get("kind") or ("dataset" if self.values.get("prefix") else "model")
        found = self.hub.storage.repositories.get((kind, self.values["name"]))
        if found is None or (found.private and user is None):
            raise HubError(401 if user is None else 404, "Repository not found", "RepoNotFound")
        if write:
            self.writer(found.id)
        return found
