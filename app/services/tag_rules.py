"""Rules that let those open studies whom a DICOM tag names: making, looking before, changing, rotating, ending.

Refuses to widen: a rule's tag and values never change once people have its code, a new rule is made instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from app.domain.events import Event
from app.domain.grants import Kind
from app.domain.permissions import Permission
from app.models import (
    Staff,
    StaffSession,
    TagRule,
    TagRuleMatch,
    TagRuleMember,
    ViewerToken,
    Visit,
    grant_study,
)
from app.services import tag_keys, tag_matching
from app.services.audit import Audit
from app.services.grants import Default, Grants, Paper
from app.services.rule_preview import Preview, RulePreview
from app.services.staff_endings import end_visits
from app.services.tag_keys import Wanted
from app.services.tag_matching import TagMatching


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
        if (before == wished and had == set(members)) or not self._hold(rule):
            return False
        for key, value in wished.items():
            setattr(rule, key, value)
        self._session.flush()
        self._grants.by_id(rule.grant_id).label = name
        self._session.execute(delete(TagRuleMember).where(TagRuleMember.rule_id == rule.id))
        self._session.add_all(TagRuleMember(rule_id=rule.id, staff_id=one) for one in dict.fromkeys(members))
        theirs = select(StaffSession.id).where(StaffSession.staff_id.in_(had - set(members)))
        end_visits(self._session, Visit.grant_id == rule.grant_id, Visit.staff_session_id.in_(theirs), at=at)
        self._close_what_is_older(rule, at)
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

    def _close_what_is_older(self, rule: TagRule, at: datetime) -> None:
        """Viewers that are open on studies which the rule doesn't show (any more)."""
        if (first := tag_matching.since(rule, at)) is None:
            return
        older = select(TagRuleMatch.study_id).where(
            TagRuleMatch.rule_id == rule.id, TagRuleMatch.listed_on < first
        )
        visits = select(Visit.id).where(Visit.grant_id == rule.grant_id)
        self._session.execute(
            update(ViewerToken)
            .where(
                ViewerToken.visit_id.in_(visits),
                ViewerToken.study_id.in_(older),
                ViewerToken.revoked_at.is_(None),
            )
            .values(revoked_at=at)
            .execution_options(synchronize_session=False)
        )

    def rotate(self, rule: TagRule, *, at: datetime, actor: str) -> Paper | None:
        """A new code and password for the group; the old ones, their visits and what was given on with them are dead
        at once. None for a rule that has ended. Raises Busy."""
        old = self._grants.by_id(rule.grant_id)
        paper = self._grants.prepare_again(old, at=at)
        if old.expires_at is not None and old.expires_at > at:
            paper.grant.expires_at = old.expires_at
        if not self._hold(rule):
            return None
        old = self._grants.by_id(
            rule.grant_id
        )  # another one, if somebody made a new code meanwhile: that dies too
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
        if self._hold(rule):
            grant = self._grants.by_id(rule.grant_id)
            self._grants.revoke(grant, at=at, actor=actor)
            rule.ended_at = at
            self._matching.forget(self._session, rule)
            self._note(Event.RULE_ENDED, rule, at=at, actor=actor)

    def _hold(self, rule: TagRule) -> bool:
        """Whether a rule goes on, as the database has it now. Until the transaction ends nobody else changes its code
        or ends it, and who matches studies at this moment puts them under the grant read after us (tag_matching).

        A write, not a read: it waits for other writers and sees what they committed, on SQLite too.
        """
        held = self._session.execute(
            update(TagRule)
            .where(TagRule.id == rule.id, TagRule.ended_at.is_(None))
            .values(made_by=TagRule.made_by)
            .returning(TagRule.id)
            .execution_options(synchronize_session=False)
        )
        if held.one_or_none() is None:
            return False
        self._session.refresh(rule)
        return True

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


def _member_ids(rule: TagRule) -> Select[int]:
    return select(TagRuleMember.staff_id).where(TagRuleMember.rule_id == rule.id)
