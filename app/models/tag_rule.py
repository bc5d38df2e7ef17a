from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class TagRule(Model):
    """Who may open every study in which a DICOM tag names them: a group with a code and a password, or accounts."""

    __tablename__ = "tag_rule"
    # Rules that still have to look through what was there before them: few.
    __table_args__ = (
        Index(
            "ix_tag_rule_unmatched",
            "id",
            sqlite_where=text("match_below IS NOT NULL"),
            postgresql_where=text("match_below IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # For whom, as staff wrote it ("Dr Ludwig Moreno", "Ward 7").
    name: Mapped[str] = mapped_column(Text)
    # DICOM keyword ("ReferringPhysicianName"), or "Labels".
    tag: Mapped[str] = mapped_column(String(64))
    # domain.tag_match.How.
    how: Mapped[str] = mapped_column(String(8))
    # Values of which one has to match, as JSON.
    wanted: Mapped[str] = mapped_column(Text)
    # Studies older than this many days aren't shown. NULL: all are.
    back_days: Mapped[int | None]
    # Whether its holder may give one of the studies on.
    may_give_on: Mapped[bool] = mapped_column(default=False)
    # Where new studies are announced, addresses separated by spaces. Empty: nowhere.
    announce_to: Mapped[str] = mapped_column(Text, default="")
    # The grant that its code and password open.
    grant_id: Mapped[int] = mapped_column(ForeignKey("access_grant.id"), unique=True)
    # As in the audit trail.
    made_by: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: goes on.
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Studies with ids from here on are matched; the others are looked through in the background. NULL: all are.
    match_below: Mapped[int | None] = mapped_column(BigInteger)


class TagRuleKey(Model):
    """What a rule asks for, as digests that an index finds (services.tag_keys)."""

    __tablename__ = "tag_rule_key"

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    rule_id: Mapped[int] = mapped_column(ForeignKey("tag_rule.id"), primary_key=True, index=True)


class TagRuleMember(Model):
    """Somebody with an account for whom a rule is, without its code."""

    __tablename__ = "tag_rule_member"

    rule_id: Mapped[int] = mapped_column(ForeignKey("tag_rule.id"), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, index=True)


class TagRuleMatch(Model):
    """A study that a rule opens now. When the tag changes the row goes, and with it the grant's."""

    __tablename__ = "tag_rule_match"
    __table_args__ = (
        Index(None, "rule_id", "listed_on", "study_id"),
        # What waits for its mail: few.
        Index(
            "ix_tag_rule_match_unannounced",
            "rule_id",
            sqlite_where=text("announced_at IS NULL"),
            postgresql_where=text("announced_at IS NULL"),
        ),
    )

    rule_id: Mapped[int] = mapped_column(ForeignKey("tag_rule.id"), primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True, index=True)
    # The study's date, or the day on which it became stable where it has none: the order of the list.
    listed_on: Mapped[date]
    matched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When it was first opened through the rule. NULL: not yet, shown as new.
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When it was announced by mail, or didn't have to be. NULL: it waits for its mail.
    announced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StudyTagKey(Model):
    """What a study's tags are found by, as digests (services.tag_keys)."""

    __tablename__ = "study_tag_key"

    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), primary_key=True, index=True)


class TagValue(Model):
    """The values that a tag has had: few beside the studies, for choosing one and for seeing what nearly matches."""

    __tablename__ = "tag_value"
    __table_args__ = (UniqueConstraint("tag", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(String(64))
    # Of the value, letter for letter (services.tag_keys.digest).
    digest: Mapped[int] = mapped_column(BigInteger)
    value: Mapped[str] = mapped_column(Text)
