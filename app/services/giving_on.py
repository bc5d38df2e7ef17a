"""What a holder gives on: "share with my doctor", what became of it, and stopping all of it.

A grant of its own, never wider and never longer than the one that it comes from, of a code and a password that are
the clinic's for nobody else. Refuses those who were given theirs by a holder: what was given on ends there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.grants import Kind, Policy, Standing
from app.domain.permissions import Permission
from app.models import Grant, Study, TagRuleMatch, Visit, grant_study
from app.services.audit import Audit
from app.services.grants import Grants, Paper
from app.services.live_visit import Ending, LiveVisit, Part

ACTOR = "holder"
DAYS = (1, 7, 30)
LONGEST_LABEL = 100  # characters
MOST = 10  # that live at once, of one grant; of a group's, of one study
# Whose study it is: the patient, and whoever acts for the patient. They may give on, see who else opened it, and stop
# all of it. Those whom a DICOM tag names may give on where their rule says so, and no more.
GIVERS = (Kind.PATIENT, Kind.GUARDIAN)


class Problem(StrEnum):
    """Why nothing is given on; a field of the form each, but the last two."""

    NO_LABEL = "no-label"
    LONG_LABEL = "long-label"
    NO_PERMISSION = "no-permission"
    NO_SUCH_LIFE = "no-such-life"
    NOT_YOURS = "not-yours"  # this access can't be given on
    TOO_MANY = "too-many"


@dataclass(frozen=True)
class Wish:
    """To whom, for what, for how many days."""

    label: str
    permissions: Permission = Permission.VIEW | Permission.REPORT
    days: int = 7


@dataclass(frozen=True)
class Reach:
    """Whom stopping ends: ``given``. ``own``: the codes that can be closed too. ``goes_on``: what others hold and only
    the clinic ends; those whom a tag names aren't among them (services.rules_of_study)."""

    given: list[Grant]
    own: list[Grant]
    goes_on: list[Grant]


class GivingOn:
    """Works within the caller's transaction."""

    def __init__(self, session: Session, grants: Grants, audit: Audit) -> None:
        self._session = session
        self._grants = grants
        self._audit = audit

    def giver(self, live: LiveVisit, study: Study) -> Part | None:
        """The part of a visit through which a study may be given on; None where none may."""
        return next((part for part in live.parts_of(study) if _may_give_on(part)), None)

    def is_owner(self, live: LiveVisit, study: Study) -> bool:
        """Whether a visit's holder may stop all access to a study."""
        return any(part.kind in GIVERS for part in live.parts_of(study))

    def give(
        self, live: LiveVisit, study: Study, wish: Wish, *, at: datetime, address: str
    ) -> Paper | list[Problem]:
        """A grant for somebody whom the holder trusts, for this one study; where there are problems the caller rolls
        back. Raises Busy, StoreUnavailable."""
        part = self.giver(live, study)
        if part is None:
            return [Problem.NOT_YOURS]
        parent, label = part.grant, " ".join(wish.label.split())
        permissions = part.permissions & wish.permissions
        if found := self._problems(parent, study, label, permissions, wish.days, at):
            return found
        life = timedelta(days=wish.days)
        if parent.expires_at is not None:
            life = min(life, parent.expires_at - at)
        paper = self._grants.prepare(
            [self._session.get_one(Study, study.id)],
            at=at,
            kind=Kind.DELEGATE,
            permissions=permissions,
            label=label,
            policy=Policy.PASSWORD,
            life=life,
        )
        paper.grant.parent_id = parent.id
        self._grants.keep(paper, at=at, actor=ACTOR, address=address)
        return paper if self._is_still_theirs(part, study) else [Problem.NOT_YOURS]

    def _is_still_theirs(self, part: Part, study: Study) -> bool:
        """Hashing took its time: whether the code still opens, and the tag still names. Whoever ends one of them from
        now on waits, and finds what is given on."""
        code = select(Grant.id).where(
            Grant.id == part.grant.id, Grant.revoked_at.is_(None), Grant.suspended_at.is_(None)
        )
        if self._session.scalar(code.with_for_update(read=True)) is None:
            return False
        if part.rule is None:
            return True
        match = select(TagRuleMatch.study_id).where(
            TagRuleMatch.rule_id == part.rule.id, TagRuleMatch.study_id == study.id
        )
        return self._session.scalar(match.with_for_update(read=True)) is not None

    def _problems(
        self, parent: Grant, study: Study, label: str, permissions: Permission, days: int, at: datetime
    ) -> list[Problem]:
        living = (
            select(func.count())
            .select_from(Grant)
            .where(Grant.parent_id == parent.id, Grant.revoked_at.is_(None), Grant.expires_at > at)
        )
        if parent.kind == Kind.GROUP:  # of thousands of studies: so many of each
            living = living.join(grant_study, grant_study.c.grant_id == Grant.id).where(
                grant_study.c.study_id == study.id
            )
        found = [
            (not label, Problem.NO_LABEL),
            (len(label) > LONGEST_LABEL, Problem.LONG_LABEL),
            (not permissions, Problem.NO_PERMISSION),
            (days not in DAYS, Problem.NO_SUCH_LIFE),
            ((self._session.scalar(living) or 0) >= MOST, Problem.TOO_MANY),
        ]
        return [problem for is_so, problem in found if is_so]

    def given(self, live: LiveVisit, study: Study, *, at: datetime) -> list[Grant]:
        """What this visit's holder gave on of a study and still opens it, newest first."""
        parents = [part.grant for part in live.parts_of(study) if _may_give_on(part)]
        return [
            grant
            for grant in self._grants.given_on(parents)
            if any(one.id == study.id for one in grant.studies) and grant.standing(at) is Standing.OPEN
        ]

    def reach(self, live: LiveVisit, study: Study, *, at: datetime) -> Reach:
        """What ``stop_all`` would end, and what not; for a holder who may give on."""
        given = self.given(live, study, at=at)
        own = [part.grant for part in live.parts_of(study) if part.grant.kind in GIVERS]
        ours = {grant.id for grant in (*given, *own)}
        goes_on = [
            grant
            for grant in self._grants.of_study(study)
            if grant.id not in ours and grant.standing(at) is Standing.OPEN
        ]
        return Reach(given, own, goes_on)

    def take_back(self, live: LiveVisit, study: Study, ref: str, *, at: datetime) -> bool:
        """End one of them at once; False where there is none of that name."""
        found = next((grant for grant in self.given(live, study, at=at) if grant.ref == ref), None)
        if found is not None:
            self._grants.revoke(found, at=at, actor=ACTOR)
        return found is not None

    def stop_all(self, live: LiveVisit, study: Study, *, own_code_too: bool, at: datetime) -> int:
        """End whatever this visit's holder gave on of a study, and every other visit that was begun with the same
        code: how many grants ended. ``own_code_too``: the code itself opens nothing any more, this visit included.
        """
        ended = self.given(live, study, at=at)
        for grant in ended:
            self._grants.revoke(grant, at=at, actor=ACTOR)
        mine = {part.visit.id for part in live.parts}
        for part in live.parts_of(study):
            if part.grant.kind not in GIVERS:
                continue
            self._session.execute(
                update(Visit)
                .where(Visit.grant_id == part.grant.id, Visit.ended_at.is_(None), Visit.id.not_in(mine))
                .values(ended_at=at, ended_why=Ending.CLOSED)
                .execution_options(synchronize_session=False)
            )
            self._audit.within(
                self._session,
                Event.ACCESS_STOPPED,
                at=at,
                actor=ACTOR,
                grant_id=part.grant.id,
                study_id=study.id,
            )
            if own_code_too:
                own = self._grants.by_id(part.grant.id)
                self._grants.revoke(own, at=at, actor=ACTOR)
        return len(ended)


def _may_give_on(part: Part) -> bool:
    return part.kind in GIVERS or (part.rule is not None and part.rule.may_give_on)
