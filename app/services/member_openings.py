"""What somebody with an account opens through a rule that is for them: one study at a time, each on record by name.

The same rows as by the rule's code: a viewer's token that a match which goes takes along, an opening that the patient
sees. Refuses nothing itself: who is a member, and what the rule opens now, is asked before (services.tag_rules).
"""

from __future__ import annotations

import hashlib
import secrets
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain.events import Event
from app.models import StaffSession, Study, TagRule, TagRuleMember, ViewerToken, Visit
from app.services import tag_matching
from app.services.audit import Audit
from app.services.own_transaction import own_transaction
from app.services.visits import TOKEN_PURPOSE


class NotTheirs(Exception):
    """The rule isn't for them any more, or they signed out: no token."""


class MemberOpenings:
    """Each call is a small transaction of its own, audit row included. Raises StoreUnavailable."""

    def __init__(self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit

    def viewer_token(
        self, rule: TagRule, study: Study, signed_in: StaffSession, *, actor: str, address: str, at: datetime
    ) -> str:
        """For one study, in a visit of its own whose key nobody holds: it ends with the session of who is signed in,
        when the rule isn't for them any more, by idleness or the limit. Raises NotTheirs."""
        key = hashlib.sha256(secrets.token_bytes(32)).digest()
        with self._transaction() as session:
            visit = Visit(
                key=key, grant_id=rule.grant_id, staff_session_id=signed_in.id, begun_at=at, seen_at=at
            )
            session.add(visit)
            session.flush()
            token = ViewerToken(
                id=secrets.token_urlsafe(16), visit_id=visit.id, study_id=study.id, issued_at=at
            )
            session.add(token)
            # Written first: an end at this moment either is seen here, or waits and ends it.
            session.flush()
            theirs = (
                select(TagRuleMember.rule_id)
                .join(StaffSession, StaffSession.staff_id == TagRuleMember.staff_id)
                .where(
                    TagRuleMember.rule_id == rule.id,
                    StaffSession.id == signed_in.id,
                    StaffSession.ended_at.is_(None),
                )
            )
            if session.scalar(theirs.with_for_update(read=True)) is None:
                raise NotTheirs
            self._note(session, Event.VIEWER_OPENED, rule, study, actor=actor, address=address, at=at)
        return self._crypto.sign(TOKEN_PURPOSE, token.id)

    def note_look(self, rule: TagRule, study: Study, *, actor: str, address: str, at: datetime) -> None:
        with self._transaction() as session:
            self._note(session, Event.LOOK_OPENED, rule, study, actor=actor, address=address, at=at)

    def note_reading(
        self, rule: TagRule, study: Study, version: int, *, actor: str, address: str, at: datetime
    ) -> None:
        with self._transaction() as session:
            self._note(
                session,
                Event.REPORT_READ,
                rule,
                study,
                actor=actor,
                address=address,
                at=at,
                version=version,
            )

    def _note(
        self,
        session: Session,
        event: Event,
        rule: TagRule,
        study: Study,
        *,
        actor: str,
        address: str,
        at: datetime,
        **details: Any,
    ) -> None:
        tag_matching.note_opening(session, rule, study.id, at=at)
        self._audit.within(
            session,
            event,
            at=at,
            actor=actor,
            address=address,
            grant_id=rule.grant_id,
            study_id=study.id,
            rule=rule.name,
            **details,
        )

    def _transaction(self) -> AbstractContextManager[Session]:
        return own_transaction(self._own_session, "the opening can't be recorded")
