"""grants for others and without an end, what the list of studies shows of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("label", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("issued_by", sa.String(length=80), server_default="", nullable=False))
        batch_op.add_column(sa.Column("printed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("openings", sa.Integer(), server_default="0", nullable=False))
        batch_op.alter_column("expires_at", existing_type=sa.DateTime(timezone=True), nullable=True)
        batch_op.create_index(batch_op.f("ix_access_grant_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(
            "ix_access_grant_suspended",
            ["suspended_at"],
            unique=False,
            sqlite_where=sa.text("suspended_at IS NOT NULL"),
            postgresql_where=sa.text("suspended_at IS NOT NULL"),
        )
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.create_index(
            "ix_report_draft",
            ["study_id"],
            unique=False,
            sqlite_where=sa.text("signed_at IS NULL"),
            postgresql_where=sa.text("signed_at IS NULL"),
        )
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.add_column(sa.Column("search_words", sa.Text(), server_default="", nullable=False))
        batch_op.create_index(
            batch_op.f("ix_study_birth_date_state_id"), ["birth_date_state", "id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_study_study_date_id"), ["study_date", "id"], unique=False)
    _tell_from_the_trail()


def _tell_from_the_trail() -> None:
    """What was printed and opened before these columns stands in the audit trail."""
    grant = sa.table(
        "access_grant",
        *(sa.column(name) for name in ("id", "printed_at", "opened_at", "openings", "issued_by")),
    )
    event = sa.table("audit_event", *(sa.column(name) for name in ("grant_id", "event", "at", "actor")))

    def told(what: sa.ColumnElement, *events: str) -> sa.ScalarSelect:
        query = sa.select(what).where(event.c.grant_id == grant.c.id, event.c.event.in_(events))
        return query.scalar_subquery()

    newest = sa.func.max(event.c.at)
    op.execute(
        grant.update().values(
            printed_at=told(newest, "sheet:printed", "report:printed"),
            opened_at=told(newest, "visit:begun"),
            openings=told(sa.func.count(), "visit:begun"),
            issued_by=sa.func.coalesce(told(sa.func.min(event.c.actor), "grant:issued"), ""),
        )
    )


def downgrade() -> None:
    grant = sa.table(
        "access_grant", sa.column("expires_at", sa.DateTime), sa.column("issued_at", sa.DateTime)
    )
    # Whatever had no end has one now: the safe side.
    op.execute(grant.update().where(grant.c.expires_at.is_(None)).values(expires_at=grant.c.issued_at))
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_study_study_date_id"))
        batch_op.drop_index(batch_op.f("ix_study_birth_date_state_id"))
        batch_op.drop_column("search_words")
    with op.batch_alter_table("report", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_report_draft",
            sqlite_where=sa.text("signed_at IS NULL"),
            postgresql_where=sa.text("signed_at IS NULL"),
        )
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_access_grant_suspended",
            sqlite_where=sa.text("suspended_at IS NOT NULL"),
            postgresql_where=sa.text("suspended_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_access_grant_expires_at"))
        batch_op.alter_column("expires_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.drop_column("openings")
        batch_op.drop_column("opened_at")
        batch_op.drop_column("mailed_at")
        batch_op.drop_column("printed_at")
        batch_op.drop_column("issued_by")
        batch_op.drop_column("label")
