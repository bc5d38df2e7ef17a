"""Answering Orthanc: may this token do this? The busiest path: no ORM, no session.

Speaks in domain values; the wire format is the business of ``internal.authorization``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.adapters.crypto import Crypto
from app.config import Settings
from app.domain import grants
from app.domain.grants import Standing
from app.domain.permissions import Permission
from app.services.token_facts import Facts, TokenFacts
from app.services.visits import TOKEN_PURPOSE, TOUCH_EVERY

# A DICOMweb GET is asked about as "get" and, by Orthanc's own look-up behind its plugin, also as "post".
READING = ("get", "post")


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks. ``orthanc_id`` or ``study_instance_uid`` may be absent, not both."""

    archive: str
    method: str
    level: str
    token: str = field(repr=False)
    orthanc_id: str | None
    study_instance_uid: str | None
    permission: Permission = Permission.VIEW


class Gone(StrEnum):
    """Why a token holds nothing, in the three words that Orthanc Explorer has messages for."""

    EXPIRED = "expired"
    INVALID = "invalid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """``validity`` is how long the gate may reuse the answer."""

    is_granted: bool
    validity: timedelta


class Authorization:
    def __init__(self, facts: TokenFacts, crypto: Crypto, settings: Settings) -> None:
        self._facts = facts
        self._crypto = crypto
        self._settings = settings
        self._yes = Answer(True, settings.validity)
        self._no = Answer(False, settings.validity)

    def close(self) -> None:
        """End what waits for questions; for an app that is taken down within a process."""
        self._facts.close()

    def answer(self, question: Question, *, at: datetime) -> Answer:
        """Granted only for reading, at study level, when every id that is present is a study of the token.

        Raises StoreUnavailable, soon (services.patience).
        """
        return self._yes if self._is_granted(question, at) else self._no

    def look(self, archive: str, token: str, *, at: datetime) -> Facts | Gone:
        """What a token that lives holds, of this archive. Raises StoreUnavailable, soon (services.patience)."""
        token_id = self._crypto.unsign(TOKEN_PURPOSE, token)
        if token_id is None:
            return Gone.INVALID
        facts = self._facts.of(token_id)
        if facts is None:
            return Gone.UNKNOWN
        if any(study.archive != archive for study in facts.studies) or not facts.studies:
            return Gone.INVALID
        if self._standing(facts, at) is Standing.EXPIRED:
            return Gone.EXPIRED
        return facts if self._lives(facts, at) else Gone.INVALID

    def _is_granted(self, question: Question, at: datetime) -> bool:
        if question.level != "study" or question.method not in READING:
            return False
        if not question.orthanc_id and not question.study_instance_uid:
            return False
        token_id = self._crypto.unsign(TOKEN_PURPOSE, question.token)
        facts = self._facts.of(token_id) if token_id is not None else None
        if facts is None or question.permission not in Permission.from_names(facts.permissions):
            return False
        return _names_its_study(question, facts) and self._lives(facts, at)

    def _lives(self, facts: Facts, at: datetime) -> bool:
        if facts.token_revoked_at or facts.ended_at:
            return False
        return self._standing(facts, at) is Standing.OPEN and self._visit_goes_on(facts, at)

    @staticmethod
    def _standing(facts: Facts, at: datetime) -> Standing:
        return grants.standing(
            at=at,
            released_at=facts.released_at,
            expires_at=facts.expires_at,
            revoked_at=facts.revoked_at,
            suspended_at=facts.suspended_at,
        )

    def _visit_goes_on(self, facts: Facts, at: datetime) -> bool:
        if facts.visit_id is None or facts.begun_at is None or facts.seen_at is None:
            return True  # no visit holds it: it lives as long as its grant
        if (
            at >= facts.begun_at + self._settings.visit_limit
            or at >= facts.seen_at + self._settings.visit_idle
        ):
            return False
        if at - facts.seen_at >= TOUCH_EVERY:
            self._facts.touch(facts.visit_id, at=at, every=TOUCH_EVERY)
        return True


def _names_its_study(question: Question, facts: Facts) -> bool:
    return any(
        question.archive == study.archive
        and question.orthanc_id in (None, "", study.orthanc_id)
        and question.study_instance_uid in (None, "", study.study_instance_uid)
        for study in facts.studies
    )
