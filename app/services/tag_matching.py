"""Which studies a rule opens: by index, when a study arrives or changes and when a rule is saved; never at page time.
Only the follower takes studies in and does the work in the background, so the two never miss each other.

A match is a row of ``tag_rule_match`` and one of the grant's studies, written and taken away together: the second is
what the gate asks about, so a study whose tag changes stops opening within the answered validity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session, sessionmaker

from app.domain.events import Event
from app.models import Grant, Study, StudyTagKey, TagRule, TagRuleKey, TagRuleMatch, TagValue, grant_study
from app.services import tag_keys
from app.services.audit import Audit
from app.services.tag_keys import Wanted

ALL = 2**31 - 1  # above every id that a study will have
BATCH = 1_000  # studies; one write transaction each


class TagMatching:
    """``of_study`` works within the caller's transaction, the work in the background in its own."""

    def __init__(self, own_session: sessionmaker[Session], audit: Audit) -> None:
        self._own_session = own_session
        self._audit = audit

    def of_study(self, session: Session, study: Study, *, at: datetime, is_news: bool = True) -> None:
        """Match a study that is new or has changed: which rules open it from now on. ``is_news``: those rules that
        announce by mail announce it (services.announcements)."""
        keys = tag_keys.of_study(study)
        known = self._known(session, study.id) if study.tag_keys_at else set()
        if keys != known:
            if known:
                session.execute(delete(StudyTagKey).where(StudyTagKey.study_id == study.id))
            _insert(session, StudyTagKey, [{"key": key, "study_id": study.id} for key in keys])
            self._note_values(session, study)
        study.tag_keys_at = at
        rules = self._asking_for(session, keys)
        wanted = {rule.id: rule for rule in rules if Wanted.of(rule).matches(study)}
        has = set(session.scalars(select(TagRuleMatch.rule_id).where(TagRuleMatch.study_id == study.id)))
        gone = has - wanted.keys()
        if gone:
            # Their codes may be made anew at this moment: whoever does that waits, or is waited for. Held before what
            # hangs on them, as there.
            codes = select(TagRule.grant_id).where(TagRule.id.in_(gone)).order_by(TagRule.id)
            grants = session.scalars(codes.with_for_update(read=True)).all()
            # First of all: who gives the study on at this moment either is seen below or finds no match any more.
            session.execute(
                delete(TagRuleMatch).where(TagRuleMatch.study_id == study.id, TagRuleMatch.rule_id.in_(gone))
            )
            self._end_what_was_given_on(session, study, grants, at=at)
            session.execute(
                delete(grant_study).where(
                    grant_study.c.study_id == study.id, grant_study.c.grant_id.in_(grants)
                )
            )
        for rule_id in wanted.keys() - has:
            self._add(session, wanted[rule_id], [study], at=at, is_news=is_news)
        if has & wanted.keys():
            listed_on = listed(study)
            session.execute(
                update(TagRuleMatch)
                .where(TagRuleMatch.study_id == study.id, TagRuleMatch.listed_on != listed_on)
                .values(listed_on=listed_on)
                .execution_options(synchronize_session=False)
            )

    def _end_what_was_given_on(
        self, session: Session, study: Study, grant_ids: Sequence[int], *, at: datetime
    ) -> None:
        """Whoever was let in by those whom a study doesn't name any more has no more right to it than they."""
        given_on = (
            select(Grant)
            .join(grant_study, grant_study.c.grant_id == Grant.id)
            .where(
                Grant.parent_id.in_(grant_ids),
                grant_study.c.study_id == study.id,
                Grant.revoked_at.is_(None),
            )
        )
        for grant in session.scalars(given_on):
            grant.end(at)
            self._audit.within(
                session,
                Event.GRANT_REVOKED,
                at=at,
                actor="studykey",
                grant_id=grant.id,
                study_id=study.id,
                why="tag",
            )

    def ask(self, session: Session, rule: TagRule) -> None:
        """Write what a rule asks for; the studies that are there already are matched by ``work``, those that
        arrive from now on at once."""
        session.execute(delete(TagRuleKey).where(TagRuleKey.rule_id == rule.id))
        keys = Wanted.of(rule).keys()
        _insert(session, TagRuleKey, [{"key": key, "rule_id": rule.id} for key in keys])
        rule.match_below = ALL

    def forget(self, session: Session, rule: TagRule) -> None:
        """A rule ends, or asks for something else: it opens nothing any more."""
        session.execute(delete(TagRuleKey).where(TagRuleKey.rule_id == rule.id))
        session.execute(delete(grant_study).where(grant_study.c.grant_id == rule.grant_id))
        session.execute(delete(TagRuleMatch).where(TagRuleMatch.rule_id == rule.id))
        rule.match_below = None

    def work(self, *, at: datetime) -> int:
        """Match some of the studies that were there before a rule, the newest first: how many were looked at.
        0: nothing is left to do."""
        with self._own_session.begin() as session:
            rule = session.scalars(
                select(TagRule).where(TagRule.match_below.is_not(None)).order_by(TagRule.id).limit(1)
            ).one_or_none()
            if rule is None:
                return 0
            assert rule.match_below is not None
            ids = self._next_below(session, rule, rule.match_below)
            if not ids:
                rule.match_below = None
                return 1
            wanted = Wanted.of(rule)
            found = session.scalars(select(Study).where(Study.id.in_(ids)))
            matching = [study for study in found if wanted.matches(study)]
            known = set(
                session.scalars(
                    select(TagRuleMatch.study_id).where(
                        TagRuleMatch.rule_id == rule.id, TagRuleMatch.study_id.in_(ids)
                    )
                )
            )
            self._add(session, rule, [study for study in matching if study.id not in known], at=at)
            rule.match_below = min(ids)
            return len(ids)

    @staticmethod
    def _next_below(session: Session, rule: TagRule, study_id: int) -> list[int]:
        """The newest studies below one that a rule's keys find, at most BATCH. Key by key, so that the primary key
        gives each in order: for all at once, SQLite reads through every study's keys."""
        found: set[int] = set()
        for key in session.scalars(select(TagRuleKey.key).where(TagRuleKey.rule_id == rule.id)).all():
            query = (
                select(StudyTagKey.study_id)
                .where(StudyTagKey.key == key, StudyTagKey.study_id < study_id)
                .order_by(StudyTagKey.study_id.desc())
                .limit(BATCH)
            )
            found.update(session.scalars(query))
        return sorted(found, reverse=True)[:BATCH]

    def key_rules(self) -> None:
        """Give keys to rules that have none since migration 0014. Before any study is taken in: one that comes again
        would seem to be named by none of them, and what was given on of it would end."""
        with self._own_session.begin() as session:
            has_keys = select(TagRuleKey.key).where(TagRuleKey.rule_id == TagRule.id).exists()
            for rule in session.scalars(select(TagRule).where(TagRule.ended_at.is_(None), ~has_keys)).all():
                self.ask(session, rule)

    def fill(self, *, at: datetime) -> int:
        """Give keys to some of the studies that have none (since migrations 0013 and 0014), the newest first: how
        many."""
        with self._own_session.begin() as session:
            query = select(Study).where(Study.tag_keys_at.is_(None)).order_by(Study.id.desc()).limit(BATCH)
            found = session.scalars(query).all()
            for study in found:
                self.of_study(session, study, at=at, is_news=False)
            return len(found)

    def _add(
        self,
        session: Session,
        rule: TagRule,
        studies: Sequence[Study],
        *,
        at: datetime,
        is_news: bool = False,
    ) -> None:
        # Its code may be made anew, or the rule ended, at this moment: whoever does that waits, or is waited for.
        now = select(TagRule.grant_id).where(TagRule.id == rule.id, TagRule.ended_at.is_(None))
        grant_id = session.scalar(now.with_for_update(read=True))
        if grant_id is None:
            return
        told_at = None if is_news and rule.announce_to else at
        _insert(
            session,
            TagRuleMatch,
            [
                {
                    "rule_id": rule.id,
                    "study_id": study.id,
                    "listed_on": listed(study),
                    "matched_at": at,
                    "announced_at": told_at,
                }
                for study in studies
            ],
        )
        _insert(session, grant_study, [{"grant_id": grant_id, "study_id": study.id} for study in studies])

    @staticmethod
    def _note_values(session: Session, study: Study) -> None:
        values = {(tag, tag_keys.digest(tag, value)): value for tag, value in tag_keys.values_of(study)}
        known = session.execute(
            select(TagValue.tag, TagValue.digest).where(
                tuple_(TagValue.tag, TagValue.digest).in_(list(values))
            )
        )
        new = values.keys() - {(row.tag, row.digest) for row in known}
        _insert(
            session,
            TagValue,
            [{"tag": tag, "digest": digest, "value": values[tag, digest]} for tag, digest in new],
        )

    @staticmethod
    def _known(session: Session, study_id: int) -> set[int]:
        return set(session.scalars(select(StudyTagKey.key).where(StudyTagKey.study_id == study_id)))

    @staticmethod
    def _asking_for(session: Session, keys: Iterable[int]) -> list[TagRule]:
        query = (
            select(TagRule)
            .join(TagRuleKey, TagRuleKey.rule_id == TagRule.id)
            .where(TagRuleKey.key.in_(list(keys)), TagRule.ended_at.is_(None))
            .distinct()
        )
        return list(session.scalars(query))


def opened_by(rule: TagRule, at: datetime) -> Select[Study, TagRuleMatch]:
    """The studies that a rule opens at a moment, each with its match: what every page and every visit goes by."""
    query = (
        select(Study, TagRuleMatch)
        .join(TagRuleMatch, TagRuleMatch.study_id == Study.id)
        .where(TagRuleMatch.rule_id == rule.id, Study.deleted_at.is_(None))
    )
    first = since(rule, at)
    return query.where(TagRuleMatch.listed_on >= first) if first else query


def note_opening(session: Session, rule: TagRule, study_id: int, *, at: datetime) -> None:
    """A study was opened through a rule: it isn't new to the group any more."""
    session.execute(
        update(TagRuleMatch)
        .where(
            TagRuleMatch.rule_id == rule.id,
            TagRuleMatch.study_id == study_id,
            TagRuleMatch.opened_at.is_(None),
        )
        .values(opened_at=at)
        .execution_options(synchronize_session=False)
    )


def listed(study: Study) -> date:
    """The day by which a study stands in a list."""
    return study.study_date or study.stable_at.date()


def since(rule: TagRule, at: datetime) -> date | None:
    """The first day that a rule shows; None: all."""
    return None if rule.back_days is None else at.date() - timedelta(days=rule.back_days)


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(table), rows)
