"""Release to the patient: what is out, and the hand of staff over the rule.

Refuses nothing itself: whoever hands out images or a report asks ``seen_by`` first (docs/adr/0015).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.domain import release
from app.domain.events import Event
from app.domain.grants import Kind
from app.domain.release import Release
from app.models import Grant, Report, Study, ViewerToken, Visit
from app.services.audit import Audit
from app.services.rules import SiteRules

WAITING_KINDS = tuple(kind for kind in Kind if release.waits(kind))


class Releases:
    """Works within the caller's transaction; a page asks once, for all its studies."""

    def __init__(self, session: Session, rules: SiteRules, audit: Audit) -> None:
        self._session = session
        self._rules = rules
        self._audit = audit

    def of(self, study: Study, *, at: datetime) -> Release:
        """What the patient has of a study."""
        return self.seen_by(Kind.PATIENT, [study], at=at)[study.id]

    def seen_by(self, kind: Kind, studies: Sequence[Study], *, at: datetime) -> dict[int, Release]:
        """By the study's id, what the holder of a grant of this kind has of it. One query."""
        rule, signed = self._rules.now().release, self._first_signatures(studies)
        return {
            study.id: release.release(
                rule,
                modalities=study.modalities,
                stable_at=study.stable_at,
                signed_at=signed.get(study.id),
                released_at=study.released_at,
                held_at=study.held_at,
                at=at,
            )
            if release.waits(kind)
            else release.at_once(stable_at=study.stable_at, signed_at=signed.get(study.id))
            for study in studies
        }

    def by_rule(self, study: Study, *, at: datetime) -> Release:
        """What the patient would have if nobody had touched the release by hand."""
        return release.release(
            self._rules.now().release,
            modalities=study.modalities,
            stable_at=study.stable_at,
            signed_at=self._first_signatures([study]).get(study.id),
            at=at,
        )

    def release(self, study: Study, *, at: datetime, actor: str) -> bool:
        """Images at once, the report once it is signed, whatever the rule says. False: it was so already."""
        if study.released_at is not None:
            return False
        study.released_at, study.held_at = at, None
        self._note(Event.STUDY_RELEASED, study, at=at, actor=actor)
        return True

    def hold(self, study: Study, *, at: datetime, actor: str) -> bool:
        """Neither images nor report until staff say so. Viewers that are open get no further image: their tokens
        end with this transaction. False: it was so already."""
        if study.held_at is not None:
            return False
        study.released_at, study.held_at = None, at
        # The study's row first: a token that is being issued waits for it, or this waits for the token.
        self._session.flush()
        visits = select(Visit.id).join(Grant, Grant.id == Visit.grant_id).where(Grant.kind.in_(WAITING_KINDS))
        self._session.execute(
            update(ViewerToken)
            .where(
                ViewerToken.study_id == study.id,
                ViewerToken.revoked_at.is_(None),
                ViewerToken.visit_id.in_(visits),
            )
            .values(revoked_at=at)
            .execution_options(synchronize_session=False)
        )
        self._note(Event.STUDY_HELD, study, at=at, actor=actor)
        return True

    def undo(self, study: Study, *, at: datetime, actor: str) -> bool:
        """The clinic's rule counts again. False: it did already."""
        if study.released_at is None and study.held_at is None:
            return False
        study.released_at = study.held_at = None
        self._note(Event.STUDY_RELEASE_UNDONE, study, at=at, actor=actor)
        return True

    def _first_signatures(self, studies: Sequence[Study]) -> dict[int, datetime]:
        query = (
            select(Report.study_id, func.min(Report.signed_at))
            .where(Report.study_id.in_([study.id for study in studies]), Report.signed_at.is_not(None))
            .group_by(Report.study_id)
        )
        found = self._session.execute(query)
        return {study_id: signed_at for study_id, signed_at in found if signed_at is not None}

    def _note(self, event: Event, study: Study, *, at: datetime, actor: str) -> None:
        self._audit.within(self._session, event, at=at, actor=actor, study_id=study.id)
