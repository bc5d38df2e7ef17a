from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table, Text, and_, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.domain.grants import THROTTLE, Kind, Policy, Standing, standing
from app.models.base import Base, Model, UtcDateTime
from app.models.study import Study

# Written out wherever it is asked, so that the planner sees that the index has it.
FAILING = "failures > 3 OR failures_in_life > 99"

grant_study = Table(
    "access_grant_study",
    Base.metadata,
    Column("grant_id", ForeignKey("access_grant.id"), primary_key=True),
    Column("study_id", ForeignKey("study.id"), primary_key=True, index=True),
)


class Grant(Model):
    """The right of a holder to open one or more studies. Codes and passwords exist here only as hashes,
    and, for the reprint window, sealed under a key that is not in the database."""

    __tablename__ = "access_grant"  # GRANT is a reserved word of SQL
    # For finding the few that staff have to look at.
    __table_args__ = (
        Index(None, "expires_at"),
        Index(
            "ix_access_grant_suspended",
            "suspended_at",
            sqlite_where=text("suspended_at IS NOT NULL"),
            postgresql_where=text("suspended_at IS NOT NULL"),
        ),
        # What was shared: few among all the patients'.
        Index(
            "ix_access_grant_shared",
            "id",
            sqlite_where=text("kind <> 'patient'"),
            postgresql_where=text("kind <> 'patient'"),
        ),
        # What was given on: few.
        Index(
            "ix_access_grant_given_on",
            "parent_id",
            sqlite_where=text("parent_id IS NOT NULL"),
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
        # Those that have to wait, or are locked (domain.grants.THROTTLE).
        Index(
            "ix_access_grant_failing",
            "next_try_at",
            sqlite_where=text(FAILING),
            postgresql_where=text(FAILING),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    # Public name of the grant (audit, command line) and what its verifiers are bound to.
    ref: Mapped[str] = mapped_column(String(16), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    policy: Mapped[str] = mapped_column(String(32))
    permissions: Mapped[str] = mapped_column(String(64))
    # The study for which the archive's stable signal issued it; unique, so that two readers of the same
    # signal can't issue two. NULL: issued by a person.
    automatic_study_id: Mapped[int | None] = mapped_column(ForeignKey("study.id"), unique=True)

    # Key id of the pepper for all three verifiers.
    pepper_kid: Mapped[str] = mapped_column(String(16))
    # HMAC(pepper, argon2id(code, site salt)): the slow blind index.
    code_index: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # argon2id(HMAC(pepper, password)), encoded, salt per row.
    password_hash: Mapped[str] = mapped_column(String(160))
    # HMAC(pepper, ref and date). NULL: no usable birth date, the policy asks for the password.
    birth_date_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))

    # Code and password, sealed for reprints. NULL: window over (or never sealed), printing re-issues.
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    sealing_kid: Mapped[str | None] = mapped_column(String(16))
    sealed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # The grant whose holder gave this one on: it is never wider, and ends with it at the latest. NULL: of the clinic.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("access_grant.id"))
    # For whom, as staff (or the holder who gave it on) wrote it ("Dr Ludwig Moreno"). Empty: the patient.
    label: Mapped[str] = mapped_column(Text, default="", server_default="")
    # As in the audit trail: who issued it.
    issued_by: Mapped[str] = mapped_column(String(80), default="", server_default="")
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: opens at once. A grant that was dated ahead; when a study is released to the patient: domain.release.
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # NULL: until it is revoked.
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # NULL: not revoked.
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # NULL: not suspended. The reason is a sentence for staff; where the images became another person's, the
    # PatientName and PatientID that the paper was made for follow, a line each (forgotten with the suspension).
    suspended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    suspended_why: Mapped[str | None] = mapped_column(Text)

    # Failed attempts in a row and in the grant's life; counted before anything is compared.
    failures: Mapped[int] = mapped_column(default=0)
    failures_in_life: Mapped[int] = mapped_column(default=0)
    # NULL: a try is welcome now.
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # For the list of studies; the audit trail has the whole story. NULL: never.
    printed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mailed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Visits that were begun with it.
    openings: Mapped[int] = mapped_column(default=0, server_default="0")

    # Empty for a group: a rule decides what it opens, thousands perhaps (services.tag_rules).
    studies: Mapped[list[Study]] = relationship(
        secondary=grant_study,
        primaryjoin=lambda: and_(Grant.id == grant_study.c.grant_id, Grant.kind != Kind.GROUP),
        lazy="raise",
        order_by=Study.id,
    )

    @property
    def suspension(self) -> str:
        """Why it is suspended; empty when it isn't."""
        return (self.suspended_why or "").partition("\n")[0]

    @property
    def identity_before(self) -> tuple[str, str] | None:
        """PatientName (PN) and PatientID that the paper was made for, where another identity is why."""
        _why, *lines = (self.suspended_why or "").split("\n")
        return (lines[0], lines[1]) if len(lines) == 2 else None

    @property
    def is_locked(self) -> bool:
        """Whether failed tries have closed it until staff unlock."""
        policy = Policy(self.policy)
        return THROTTLE.is_locked(policy, failures=self.failures, in_life=self.failures_in_life)

    def end(self, at: datetime) -> None:
        """Revoked for good: code and password open nothing and can't be shown any more. On record elsewhere."""
        self.revoked_at = at
        self.sealed = self.sealing_kid = self.sealed_until = None

    def standing(self, at: datetime) -> Standing:
        return standing(
            at=at,
            released_at=self.released_at,
            expires_at=self.expires_at,
            revoked_at=self.revoked_at,
            suspended_at=self.suspended_at,
        )
