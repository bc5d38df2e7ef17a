"""What views share: the services of their app, the caller's address, the language."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from typing import cast

from flask import current_app, request

from app.models import Study
from app.wiring import EXTENSION, Services


def services() -> Services:
    return cast(Services, current_app.extensions[EXTENSION])


def caller_address() -> str:
    """The caller's IP address. Behind proxies, ProxyFix has already counted the trusted hops.

    Some proxies append a port. What is no address at all counts as one and the same caller.
    """
    told = request.remote_addr or ""
    for candidate in (told, told.rpartition(":")[0].strip("[]")):
        with suppress(ValueError):
            return str(ipaddress.ip_address(candidate))
    return "0.0.0.0"  # noqa: S104  (a value, not a bind address)


def archive_of(study: Study) -> str:
    """The name of the archive that holds a study."""
    return services().archives.name_of(study)
