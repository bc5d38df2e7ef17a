"""Proof of origin: anybody who holds a PDF of a report learns whether it is ours, unchanged and current.

The browser takes the digest and sends nothing else. Without script, or where the browser has no crypto (plain http),
the file is sent: read once for its digest, never looked into, never kept.
"""

from __future__ import annotations

import hashlib
import re
from typing import IO, Any, cast

from flask import Blueprint, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.formparser import FormDataParser
from werkzeug.wrappers import Response

from app.domain.report import LARGEST_PDF
from app.services.verification import Verdict
from app.web.access import Who, allow
from app.web.context import caller_address, services
from app.web.csrf import csrf
from app.web.i18n import _

blueprint = Blueprint("verify", __name__)

# A PDF that was brought grows a little by the access block that is printed on it.
LARGEST = LARGEST_PDF + 2 * 1024 * 1024
_MEMORY = 256 * 1024  # bytes of an upload that are held at a time
_DIGEST = re.compile(r"[0-9a-f]{64}")


@blueprint.get("/verify")
@allow(Who.EVERYBODY)
def ask() -> ResponseReturnValue:
    return _page()


@blueprint.post("/verify")
@csrf.exempt  # type: ignore[untyped-decorator]  # it changes nothing, and the check would read the file first
@allow(Who.EVERYBODY)
def answer() -> ResponseReturnValue:
    services().verification.admit(caller_address(), at=services().clock())
    digest = _digest()
    if digest is None:
        return _page(problem=_("Choose the PDF first."), status=422)
    return _page(services().verification.of(digest))


def _page(verdict: Verdict | None = None, *, problem: str = "", status: int = 200) -> Response:
    return make_response(render_template("patient/verify.html", verdict=verdict, problem=problem), status)


def _digest() -> bytes | None:
    """The digest that was sent, or that of the file that was; None for neither."""
    hasher = _Hasher()
    parser = FormDataParser(
        stream_factory=lambda *_args, **_more: cast(IO[bytes], hasher), max_form_memory_size=_MEMORY
    )
    _stream, form, _files = parser.parse(
        request.stream, request.mimetype, request.content_length, request.mimetype_params
    )
    told = form.get("sha256", "")
    if _DIGEST.fullmatch(told):
        return bytes.fromhex(told)
    return hasher.digest() if hasher.length else None


class _Hasher:
    """What an upload is written into: nothing of it stays."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.length = 0

    def write(self, part: bytes) -> int:
        self._sha256.update(part)
        self.length += len(part)
        return len(part)

    def digest(self) -> bytes:
        return self._sha256.digest()

    def seek(self, *_where: Any) -> int:
        return 0

    def close(self) -> None:
        pass
