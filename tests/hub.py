"""A hub on loopback: lists repositories, serves their files with ranges, and breaks off where a test says so."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c0ffee" + "0" * 34


@dataclass
class FakeHub:
    files: dict[str, bytes]
    """By `org/name/path`."""
    cuts: dict[str, list[int]] = field(default_factory=dict)
    """By path: after how many bytes each connection breaks off."""
    statuses: dict[str, list[int]] = field(default_factory=dict)
    """By path: what the next calls are refused with."""
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """Address, Range and Authorization of each call."""
    address: str = ""

    def listing(self, repository: str) -> dict[str, Any]:
        inside = {path[len(repository) + 1 :]: data for path, data in self.files.items() if path.startswith(repository)}
        return {
            "sha": COMMIT,
            "siblings": [
                {"rfilename": path, "size": len(data), "lfs": {"size": len(data), "sha256": sha256(data).hexdigest()}}
                for path, data in inside.items()
            ],
        }


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.seen.append((self.path, self.headers.get("Range", ""), self.headers.get("Authorization", "")))
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/"):
                repository = path.removeprefix("/api/models/").partition("/revision/")[0]
                return self.answer(json.dumps(hub.listing(repository)).encode())
            org, name, _, _, rest = path[1:].split("/", 4)
            key = f"{org}/{name}/{rest}"
            if hub.statuses.get(key):
                return self.answer(b"", hub.statuses[key].pop(0))
            if key not in hub.files:
                return self.answer(b"", 404)
            return self.send_file(key)

        def send_file(self, key: str) -> None:
            data, asked = hub.files[key], self.headers.get("Range", "")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if start >= len(data) > 0:
                return self.answer(b"", 416)
            cut = hub.cuts[key].pop(0) if hub.cuts.get(key) else None
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            self.wfile.write(data[start:][:cut])
            if cut is not None:
                self.close_connection = True
            return None

        def answer(self, data: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests read `seen` instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
