"""Rules that let those open studies whom a DICOM tag names: making, looking before, rotating, ending, listing.

The list is read by index, newest first; what is shown is what the rule matches at that moment. Refuses to widen:
a rule's tag and values never change once people have its code, a new rule is made instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, literal, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.domain import search
from app.domain.events import Event
from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.models import (
    Staff,
    StaffSession,
    Study,
    TagRule,
    TagRuleMatch,
    TagRuleMember,
    Visit,
    grant_study,
)
from app.services import tag_keys, tag_matching
from app.services.audit import Audit
from app.services.grants import Default, Grants, Paper
from app.services.rule_preview import Preview, RulePreview
from app.services.staff_endings import end_visits
from app.services.study_index import IN_INDEX, Asked
from app.services.tag_keys import Wanted
from app.services.tag_matching import ALL, TagMatching

PAGE_SIZE = 50
WALK = 5_000  # newest studies of a list that are looked at before the index of words is asked
RARE = 2_000  # studies that have the words of a search: fewer are looked up
_place = tuple_(TagRuleMatch.listed_on, TagRuleMatch.study_id)  # in the list
_NEWEST_FIRST = (TagRuleMatch.listed_on.desc(), TagRuleMatch.study_id.desc())


@dataclass(frozen=True)
class Row:
    study: Study
    is_new: bool  # nobody opened it through the rule yet


@dataclass(frozen=True)
class Page:
    """Newest first; ``next_before`` continues it, None at the end."""

    rows: Sequence[Row]
    next_before: tuple[date, int] | None


class TagRules:
    """Works within the caller's transaction."""

    def __init__(self, session: Session, grants: Grants, matching: TagMatching, audit: Audit) -> None:
        self._session = session
        self._grants = grants
        self._matching = matching
        self._audit = audit

    def preview(self, wanted: Wanted, *, back_days: int | None = None, at: datetime | None = None) -> Preview:
        """What a rule would open, before it is saved. ``at``: the moment from which ``back_days`` count."""
        since = at.date() - timedelta(days=back_days) if at and back_days is not None else None
        return RulePreview(self._session).of(wanted, since=since)

    def make(
        self,
        name: str,
        wanted: Wanted,
        *,
        permissions: Permission,
        back_days: int | None = None,
        may_give_on: bool = False,
        announce_to: str = "",
        members: Sequence[int] = (),
        life: Any = Default.LIFE,
        at: datetime,
        actor: str,
    ) -> tuple[TagRule, Paper]:
        """A rule with a grant of its own: code and password for the group. Raises Busy."""
        paper = self._grants.prepare(
            [], at=at, kind=Kind.GROUP, permissions=permissions, label=name, life=life
        )
        self._grants.keep(paper, at=at, actor=actor)
        rule = TagRule(
            name=name,
            tag=wanted.tag,
            how=wanted.how,
            wanted=tag_keys.kept(wanted.values),
            back_days=back_days,
            may_give_on=may_give_on,
            announce_to=announce_to,
            grant_id=paper.grant.id,
            made_by=actor,
            made_at=at,
        )
        self._session.add(rule)
        self._session.flush()
        self._session.add_all(TagRuleMember(rule_id=rule.id, staff_id=one) for one in dict.fromkeys(members))
        self._matching.ask(self._session, rule)
        self._note(Event.RULE_MADE, rule, at=at, actor=actor)
        return rule, paper

    def change(
        self,
        rule: TagRule,
        *,
        name: str,
        back_days: int | None,
        may_give_on: bool,
        announce_to: str,
        members: Sequence[int],
        at: datetime,
        actor: str,
    ) -> bool:
        """For whom it is and what they may; whether anything was changed. Its tag and values never change."""
        wished = {
            "name": name,
            "back_days": back_days,
            "may_give_on": may_give_on,
            "announce_to": announce_to,
        }
        before = {key: getattr(rule, key) for key in wished}
        had: set[int] = set(self._session.scalars(_member_ids(rule)))
        if rule.ended_at is not None or (before == wished and had == set(members)):
            return False
        for key, value in wished.items():
            setattr(rule, key, value)
        self._session.flush()
        self._grants.by_id(rule.grant_id).label = name
        self._session.execute(delete(TagRuleMember).where(TagRuleMember.rule_id == rule.id))
        self._session.add_all(TagRuleMember(rule_id=rule.id, staff_id=one) for one in dict.fromkeys(members))
        theirs = select(StaffSession.id).where(StaffSession.staff_id.in_(had - set(members)))
        end_visits(self._session, Visit.grant_id == rule.grant_id, Visit.staff_session_id.in_(theirs), at=at)
        if (
            announce_to != before["announce_to"]
        ):  # what came in before is no news to whoever is told from now on
            waiting = (TagRuleMatch.rule_id == rule.id, TagRuleMatch.announced_at.is_(None))
            self._session.execute(
                update(TagRuleMatch)
                .where(*waiting)
                .values(announced_at=at)
                .execution_options(synchronize_session=False)
            )
        self._note(Event.RULE_CHANGED, rule, at=at, actor=actor)
        return True

    def rotate(self, rule: TagRule, *, at: datetime, actor: str) -> Paper | None:
        """A new code and password for the group; the old ones, their visits and what was given on with them are dead
        at once. None for a rule that has ended. Raises Busy."""
        old = self._grants.by_id(rule.grant_id)
        paper = self._grants.prepare_again(old, at=at)
        if old.expires_at is not None and old.expires_at > at:
            paper.grant.expires_at = old.expires_at
        # Who matches studies at this moment puts them under the grant that it reads after us (tag_matching).
        held = select(TagRule).where(TagRule.id == rule.id, TagRule.ended_at.is_(None)).with_for_update()
        if self._session.scalars(held.execution_options(populate_existing=True)).one_or_none() is None:
            return None
        self._grants.keep(paper, at=at, actor=actor, replaces=old)
        rule.grant_id = paper.grant.id
        self._session.flush()
        self._session.execute(
            update(grant_study).where(grant_study.c.grant_id == old.id).values(grant_id=paper.grant.id)
        )
        self._note(Event.RULE_CHANGED, rule, at=at, actor=actor, what="code")
        return paper

    def end(self, rule: TagRule, *, at: datetime, actor: str) -> None:
        """It opens nothing any more: its code, its accounts, its viewers."""
        if rule.ended_at is None:
            grant = self._grants.by_id(rule.grant_id)
            self._grants.revoke(grant, at=at, actor=actor)
            rule.ended_at = at
            self._matching.forget(self._session, rule)
            self._note(Event.RULE_ENDED, rule, at=at, actor=actor)

    def by_id(self, rule_id: int) -> TagRule | None:
        return self._session.get(TagRule, rule_id)

    def members(self, rule: TagRule) -> list[Staff]:
        """Whose accounts it is for, by name."""
        query = select(Staff).where(Staff.id.in_(_member_ids(rule))).order_by(Staff.name, Staff.id)
        return list(self._session.scalars(query))

    def of_member(self, staff: Staff) -> list[TagRule]:
        """The rules that open studies to somebody with an account, by name. An account that is disabled has none."""
        if staff.disabled_at is not None:
            return []
        query = (
            select(TagRule)
            .join(TagRuleMember, TagRuleMember.rule_id == TagRule.id)
            .where(TagRuleMember.staff_id == staff.id, TagRule.ended_at.is_(None))
            .order_by(TagRule.name, TagRule.id)
        )
        return list(self._session.scalars(query))

    def of_grant(self, grant_id: int) -> TagRule | None:
        return self._session.scalars(select(TagRule).where(TagRule.grant_id == grant_id)).one_or_none()

    def study(self, rule: TagRule, study_id: int, *, at: datetime) -> Study | None:
        """A study that the rule opens now; None for any other."""
        query = tag_matching.opened_by(rule, at).where(TagRuleMatch.study_id == study_id)
        found = self._session.execute(query).one_or_none()
        return found.Study if found else None

    def page(
        self, rule: TagRule, *, text: str = "", before: tuple[date, int] | None = None, at: datetime
    ) -> Page:
        """The studies that a rule opens, those that have all words of ``text`` (services.study_index)."""
        below = () if before is None else (_place < before,)
        query = tag_matching.opened_by(rule, at).where(*below).order_by(*_NEWEST_FIRST)
        if text.strip():
            asked = search.asked(text)
            if not asked:
                return Page([], None)  # only signs were typed
            last_near = (
                select(TagRuleMatch.listed_on, TagRuleMatch.study_id)
                .where(TagRuleMatch.rule_id == rule.id, *below)
                .order_by(*_NEWEST_FIRST)
                .offset(WALK)
                .limit(1)
            )
            found = self._with_words(query, asked, self._session.execute(last_near).one_or_none())
        else:
            found = self._session.execute(query.limit(PAGE_SIZE + 1)).all()
        rows = [Row(row.Study, row.TagRuleMatch.opened_at is None) for row in found[:PAGE_SIZE]]
        last = found[PAGE_SIZE - 1].TagRuleMatch if len(found) > PAGE_SIZE else None
        return Page(rows, (last.listed_on, last.study_id) if last else None)

    def note_opening(self, rule: TagRule, study: Study, *, at: datetime) -> None:
        """It isn't new any more."""
        tag_matching.note_opening(self._session, rule, study.id, at=at)

    def _with_words(self, query: Any, asked: list[Asked], edge: Any) -> Sequence[Any]:
        """What is frequent stands among the newest, down to ``edge``, so they are looked at first; then the index of
        words is asked."""
        has_words = _has_words(asked)
        near = query.where(has_words, _place > tuple(edge)) if edge else query.where(has_words)
        found = self._session.execute(near.limit(PAGE_SIZE + 1)).all()
        if edge is None or len(found) > PAGE_SIZE:
            return found
        hits = IN_INDEX[self._session.get_bind().dialect.name](asked, ALL).limit(RARE + 1)
        ids = self._session.scalars(hits).all()
        far = query.where(Study.id.in_(ids) if len(ids) <= RARE else has_words)
        return self._session.execute(far.limit(PAGE_SIZE + 1)).all()

    def _note(self, event: Event, rule: TagRule, *, at: datetime, actor: str, **details: Any) -> None:
        self._audit.within(
            self._session,
            event,
            at=at,
            actor=actor,
            grant_id=rule.grant_id,
            rule=rule.name,
            tag=rule.tag,
            **details,
        )


def _has_words(asked: list[Asked]) -> ColumnElement[bool]:
    stored = literal(" ").concat(Study.search_words)
    return and_(*(or_(*(stored.like(f"% {word}%") for word in one)) for one in asked))


def _member_ids(rule: TagRule) -> Select[int]:
    return select(TagRuleMember.staff_id).where(TagRuleMember.rule_id == rule.id)
