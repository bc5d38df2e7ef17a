"""What views share: the services of their app, the caller's address, the language."""

from __future__ import annotations

from typing import cast

from flask import current_app, request

from app.models import Study
from app.wiring import EXTENSION, Services


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def caller_address() -> str:
    """The caller's IP address. Behind proxies, ProxyFix has already counted the trusted hops."""
    return request.remote_addr or "0.0.0.0"  # noqa: S104  (a value, not a bind address)


def archive_of(study: Study) -> str:
    """The name of the archive that holds a study."""
    return services().archives.name_of(study)
