"""A server on a free port of the loopback that answers as a test says and remembers what it was asked."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str  # without the query
    query: str
    authorization: str | None
    body: bytes

    @property
    def user(self) -> str | None:
        """ "login:password" of Basic credentials; None when none were sent."""
        if self.authorization is None:
            return None
        return base64.b64decode(self.authorization.removeprefix("Basic ")).decode()


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None  # answers only once this is set

    @classmethod
    def json(cls, value: Any) -> Answer:
        return cls(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


@dataclass
class Stub:
    url: str
    answer: Callable[[Asked], Answer]
    asked: list[Asked] = field(default_factory=list)

    def always(self, answer: Answer) -> None:
        self.answer = lambda asked: answer

    def routes(self, answers: dict[str, Answer]) -> None:
        """Answers by path; 404 for every other."""
        self.answer = lambda asked: answers.get(asked.path, Answer(404))


@contextmanager
def serving() -> Iterator[Stub]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            authorization = self.headers.get("Authorization")
            asked = Asked(self.command, parts.path.lstrip("/"), parts.query, authorization, body)
            stub.asked.append(asked)
            answer = stub.answer(asked)
            if answer.hold is not None:
                answer.hold.wait(10)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """A test's output is not a log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = Stub(f"http://127.0.0.1:{server.server_port}/", lambda asked: Answer(404))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
