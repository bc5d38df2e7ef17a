"""What an account or role may do, in the words of Orthanc's Authorization plugin: the one place that translates."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.domain.staff import ORTHANC, Act

EVERYTHING = "all"  # the plugin's word; "admin-permissions" is not part of it
EVERY_LABEL = "*"  # the plugin takes an empty list for "no study at all"


def told(acts: Collection[Act], *, is_unlimited: bool) -> dict[str, Any]:
    """``permissions`` and ``authorized-labels``, as a profile and a role carry them. Acts that Orthanc doesn't know
    are left out; ``is_unlimited``: an administrator's."""
    permissions = sorted(ORTHANC & set(acts)) + ([EVERYTHING] if is_unlimited else [])
    return {"permissions": permissions, "authorized-labels": [EVERY_LABEL] if permissions else []}
