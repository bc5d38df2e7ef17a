"""People and devices with an account: their names for signing in, their roles, and the one table that says what a
role may do, on the staff pages and in Orthanc alike; how failures slow an attacker down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MIN_PASSWORD_LENGTH = 12  # NIST SP 800-63B-4 section 3.1.1.2 asks for 15 where it is the only factor
MAX_PASSWORD_LENGTH = 256


class Act(StrEnum):
    """What a role may do. Those of ORTHANC carry the names of Orthanc's Authorization plugin, and are what a gate
    is told of an account."""

    # In Orthanc and on the staff pages
    VIEW = "view"  # search studies, see images
    DOWNLOAD = "download"  # take copies away
    UPLOAD = "upload"  # store instances
    MODIFY = "modify"  # edit in place, merge, split
    ANONYMIZE = "anonymize"
    LABEL = "edit-labels"
    SEND = "send"  # to other servers
    QUERY = "q-r-remote-modalities"
    SHARE = "share"  # open studies to others
    DELETE = "delete"
    SETTINGS = "settings"  # the archive's and the clinic's
    AUDIT = "audit-logs"  # the audit trail, alarms and limits
    PEOPLE = "admin-permissions"  # accounts, roles, devices
    # On the staff pages alone
    SEE = "see"  # the list of studies, a study's page
    READ = "read"  # reports
    WRITE = "write"  # reports
    PRINT = "print"  # sheets; with READ, reports; re-issue
    GRANTS = "grants"  # extend, revoke, unlock, confirm


class Role(StrEnum):
    """An account can have several; what any of them may do, the account may do."""

    ADMIN = "admin"
    RADIOLOGIST = "radiologist"  # the editor of other systems
    DESK = "desk"
    VIEWER = "viewer"
    PHYSICIAN = "physician"  # who refers: sees what a rule for a DICOM tag opens to them, and nothing else
    DEVICE = "device"


_EDIT = frozenset({Act.UPLOAD, Act.MODIFY, Act.ANONYMIZE, Act.LABEL, Act.SEND, Act.QUERY})
_LOOK = frozenset({Act.SEE, Act.VIEW, Act.READ})
MAY: dict[Role, frozenset[Act]] = {
    Role.ADMIN: frozenset(Act),
    Role.RADIOLOGIST: _LOOK | _EDIT | {Act.DOWNLOAD, Act.WRITE, Act.PRINT, Act.GRANTS, Act.SHARE},
    Role.DESK: frozenset({Act.SEE, Act.VIEW, Act.PRINT, Act.GRANTS, Act.SHARE}),
    Role.VIEWER: _LOOK,
    Role.PHYSICIAN: frozenset(),
    Role.DEVICE: frozenset({Act.UPLOAD}),
}
# What is left to somebody who signed in by a link that says "may only look".
LOOKING = _LOOK | {Act.DOWNLOAD}
# What no token does that stands in an address: a browser's history and a proxy's log keep it.
RUNNING = frozenset({Act.SETTINGS, Act.AUDIT, Act.PEOPLE})
# What a gate is told, by the plugin's names.
ORTHANC = frozenset(Act) - {Act.SEE, Act.READ, Act.WRITE, Act.PRINT, Act.GRANTS}
# Roles of people; a device has no other.
PEOPLE = (Role.ADMIN, Role.RADIOLOGIST, Role.DESK, Role.VIEWER, Role.PHYSICIAN)


def acts_of(roles: Iterable[Role], *, may_change: bool = True) -> frozenset[Act]:
    """What an account of these roles may do; ``may_change`` False leaves only looking."""
    allowed = frozenset[Act]().union(*(MAY[role] for role in roles))
    return allowed if may_change else allowed & LOOKING


def roles_from(names: str) -> frozenset[Role]:
    """The roles of a stored text ("desk,viewer"). Raises ValueError for one that this version doesn't know."""
    return frozenset(Role(name) for name in names.split(",") if name)


def names_of(roles: Iterable[Role]) -> str:
    """As stored: in the order of Role. Raises ValueError for none, and for a device that is something else too."""
    given = set(roles)
    if not given:
        raise ValueError("An account has a role.")
    if Role.DEVICE in given and len(given) > 1:
        raise ValueError("A device has no other role: it stores and can't read.")
    return ",".join(role for role in Role if role in given)


def delay_after(failures: int) -> timedelta:
    """How long the next sign-in waits: nothing for three failures, then 15 s doubling to 15 min."""
    if failures <= 3:
        return timedelta(0)
    return min(timedelta(seconds=15) * (1 << min(failures - 4, 10)), timedelta(minutes=15))
