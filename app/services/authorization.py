"""Answering Orthanc: may this token do this? The busiest path: one statement, no ORM, no session.

Speaks in domain values; the wire format is the business of ``internal.authorization``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, bindparam, select, update
from sqlalchemy.sql.selectable import Select

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain import grants
from app.domain.grants import Standing
from app.domain.permissions import Permission
from app.models import Archive, Grant, Study, ViewerToken, Visit
from app.services.visits import TOKEN_PURPOSE, TOUCH_EVERY

# A DICOMweb GET is asked about as "get" and, by Orthanc's own look-up behind its plugin, also as "post".
READING = ("get", "post")


@dataclass(frozen=True)
class Question:
    """What a gate asks. ``orthanc_id`` or ``study_instance_uid`` may be absent, not both."""

    archive: str
    method: str
    level: str
    token: str = field(repr=False)
    orthanc_id: str | None
    study_instance_uid: str | None
    permission: Permission = Permission.VIEW


@dataclass(frozen=True)
class Answer:
    """``validity`` is how long the gate may reuse the answer."""

    is_granted: bool
    validity: timedelta


class Authorization:
    def __init__(self, engine: Engine, crypto: Crypto, settings: Settings) -> None:
        self._engine = engine
        self._crypto = crypto
        self._settings = settings

    def answer(self, question: Question, *, at: datetime) -> Answer:
        """Granted only for reading, at study level, when every id that is present is the token's study."""
        return Answer(self._is_granted(question, at), self._settings.validity)

    def _is_granted(self, question: Question, at: datetime) -> bool:
        if question.level != "study" or question.method not in READING:
            return False
        if not question.orthanc_id and not question.study_instance_uid:
            return False
        token_id = self._crypto.unsign(TOKEN_PURPOSE, question.token)
        if token_id is None:
            return False
        with self._engine.connect() as connection:
            row = connection.execute(_LOOK_UP, {"token_id": token_id}).one_or_none()
        if row is None or row.archive != question.archive:
            return False
        if question.orthanc_id and question.orthanc_id != row.orthanc_id:
            return False
        if question.study_instance_uid and question.study_instance_uid != row.study_instance_uid:
            return False
        if question.permission not in Permission.from_names(row.permissions):
            return False
        if row.token_revoked_at or row.ended_at or row.deleted_at:
            return False
        if at >= row.begun_at + self._settings.visit_limit or at >= row.seen_at + self._settings.visit_idle:
            return False
        standing = grants.standing(
            at=at,
            released_at=row.released_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            suspended_at=row.suspended_at,
        )
        if standing is not Standing.OPEN:
            return False
        if at - row.seen_at >= TOUCH_EVERY:
            self._touch(row.visit_id, at)
        return True

    def _touch(self, visit_id: int, at: datetime) -> None:
        """Use keeps a visit alive. Conditional, so that concurrent questions write once a minute."""
        with self._engine.begin() as connection:
            connection.execute(
                update(Visit)
                .where(Visit.id == visit_id, Visit.seen_at <= at - TOUCH_EVERY)
                .values(seen_at=at)
            )


def _look_up() -> Select[*tuple[Any, ...]]:
    return (
        select(
            ViewerToken.revoked_at.label("token_revoked_at"),
            Visit.id.label("visit_id"),
            Visit.begun_at,
            Visit.seen_at,
            Visit.ended_at,
            Grant.permissions,
            Grant.released_at,
            Grant.expires_at,
            Grant.revoked_at,
            Grant.suspended_at,
            Study.orthanc_id,
            Study.study_instance_uid,
            Study.deleted_at,
            Archive.name.label("archive"),
        )
        .join(Visit, Visit.id == ViewerToken.visit_id)
        .join(Grant, Grant.id == Visit.grant_id)
        .join(Study, Study.id == ViewerToken.study_id)
        .join(Archive, Archive.id == Study.archive_id)
        .where(ViewerToken.id == bindparam("token_id"))
    )


_LOOK_UP = _look_up()
