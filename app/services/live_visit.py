"""What somebody holds who has proved a code: the visit with its parts, how long it goes on, or why it is over.

Values, as ``services.visits`` found them; reading or writing rows is its business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import reduce
from operator import or_

from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.domain.release import waits
from app.models import Grant, Study, TagRule, Visit


class Ending(StrEnum):
    """Why a visit is over."""

    NONE = "none"  # there never was one (or its cookie is gone)
    SIGNED_OUT = "signed-out"
    IDLE = "idle"
    LIMIT = "limit"
    CLOSED = "closed"  # by the clinic: grant revoked, suspended, expired


@dataclass(frozen=True)
class Part:
    """What one proved code brings to a visit.

    ``rule``: of a group's code, what decides which studies it opens, thousands perhaps. ``asked``: the one that was
    asked for, where the rule opens it at this moment.
    """

    visit: Visit = field(repr=False)
    grant: Grant = field(repr=False)
    rule: TagRule | None = field(default=None, repr=False)
    asked: Study | None = field(default=None, repr=False)

    @property
    def studies(self) -> list[Study]:
        """Those that it is known to open: all of a sheet's, of a group's the one that was asked for."""
        return [*self.grant.studies, *([self.asked] if self.asked is not None else [])]

    @property
    def kind(self) -> Kind:
        return Kind(self.grant.kind)

    @property
    def permissions(self) -> Permission:
        return Permission.from_names(self.grant.permissions)


@dataclass(frozen=True)
class Left:
    """How long a visit goes on: if nobody touches it, and at the longest."""

    idle: timedelta
    limit: timedelta


@dataclass(frozen=True)
class LiveVisit:
    """A visit that goes on, with what its holder may see: one part, and one more for each code added during it.
    ``left`` as of its finding; None for one that has just begun."""

    parts: tuple[Part, ...]
    left: Left | None = None

    @property
    def leader_id(self) -> int:
        """Of the visit whose key the cookie holds."""
        visit = self.parts[0].visit
        return visit.leader_id or visit.id

    @property
    def studies(self) -> list[Study]:
        """Each once, in the order of the codes; those of a group aren't among them (``Part.asked``)."""
        return list({study.id: study for part in self.parts for study in part.studies}.values())

    @property
    def groups(self) -> list[Part]:
        """Those whose studies are a list of their own, by a rule."""
        return [part for part in self.parts if part.rule is not None]

    def study(self, study_id: int) -> Study | None:
        return next((study for study in self.studies if study.id == study_id), None)

    def parts_of(self, study: Study) -> list[Part]:
        """Those that open a study, for whatever."""
        return [part for part in self.parts if any(one.id == study.id for one in part.studies)]

    def part_to(self, study: Study, wanted: Permission) -> Part:
        """The first part that opens a study for this, one that doesn't wait for its release before one that does.
        Raises LookupError where none opens it."""
        able = [part for part in self.parts_of(study) if wanted in part.permissions]
        if not able:
            raise LookupError("nothing in this visit allows that")
        return min(able, key=lambda part: waits(part.kind))

    def kind_for(self, study: Study, wanted: Permission) -> Kind:
        """As what its holder opens a study for this; where nothing allows it, as the patient."""
        try:
            return self.part_to(study, wanted).kind
        except LookupError:
            return Kind.PATIENT

    def permissions_on(self, study: Study) -> Permission:
        """What all parts together allow on a study."""
        return reduce(or_, (part.permissions for part in self.parts_of(study)), Permission.NONE)
