"""access by DICOM tag: rules, what they match, what they are found by"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

UNKEYED = sa.text("tag_keys_at IS NULL")
UNMATCHED = sa.text("match_below IS NOT NULL")


def _moment(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    # Added, not rebuilt: the triggers behind the search stay.
    op.add_column("study", sa.Column("other_tags", sa.Text(), server_default="", nullable=False))
    op.add_column("study", _moment("tag_keys_at", nullable=True))
    op.create_index("ix_study_unkeyed", "study", ["id"], sqlite_where=UNKEYED, postgresql_where=UNKEYED)
    op.create_table(
        "tag_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("back_days", sa.Integer(), nullable=True),
        sa.Column("may_give_on", sa.Boolean(), nullable=False),
        sa.Column("announce_to", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        _moment("made_at"),
        _moment("ended_at", nullable=True),
        sa.Column("match_below", sa.BigInteger(), nullable=True),
        _reference("tag_rule", "grant_id", "access_grant"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_rule")),
        sa.UniqueConstraint("grant_id", name=op.f("uq_tag_rule_grant_id")),
    )
    op.create_index(
        "ix_tag_rule_unmatched", "tag_rule", ["id"], sqlite_where=UNMATCHED, postgresql_where=UNMATCHED
    )
    op.create_table(
        "tag_rule_key",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        _reference("tag_rule_key", "rule_id", "tag_rule"),
        sa.PrimaryKeyConstraint("key", "rule_id", name=op.f("pk_tag_rule_key")),
    )
    op.create_index("ix_tag_rule_key_rule_id", "tag_rule_key", ["rule_id"])
    op.create_table(
        "tag_rule_member",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        _reference("tag_rule_member", "rule_id", "tag_rule"),
        _reference("tag_rule_member", "staff_id", "staff"),
        sa.PrimaryKeyConstraint("rule_id", "staff_id", name=op.f("pk_tag_rule_member")),
    )
    op.create_index("ix_tag_rule_member_staff_id", "tag_rule_member", ["staff_id"])
    op.create_table(
        "tag_rule_match",
        sa.Column("rule_id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("listed_on", sa.Date(), nullable=False),
        _moment("matched_at"),
        _moment("opened_at", nullable=True),
        _moment("announced_at", nullable=True),
        _reference("tag_rule_match", "rule_id", "tag_rule"),
        _reference("tag_rule_match", "study_id", "study"),
        sa.PrimaryKeyConstraint("rule_id", "study_id", name=op.f("pk_tag_rule_match")),
    )
    op.create_index(
        "ix_tag_rule_match_rule_id_listed_on_study_id",
        "tag_rule_match",
        ["rule_id", "listed_on", "study_id"],
    )
    op.create_index("ix_tag_rule_match_study_id", "tag_rule_match", ["study_id"])
    waiting = sa.text("announced_at IS NULL")
    op.create_index(
        "ix_tag_rule_match_unannounced",
        "tag_rule_match",
        ["rule_id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "study_tag_key",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        _reference("study_tag_key", "study_id", "study"),
        sa.PrimaryKeyConstraint("key", "study_id", name=op.f("pk_study_tag_key")),
    )
    op.create_index("ix_study_tag_key_study_id", "study_tag_key", ["study_id"])
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("staff_session_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_visit_staff_session_id"), "staff_session", ["staff_session_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_visit_staff_session_id"), ["staff_session_id"], unique=False)
    op.create_table(
        "tag_value",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_value")),
        sa.UniqueConstraint("tag", "digest", name=op.f("uq_tag_value_tag_digest")),
    )


def downgrade() -> None:
    rule, grant = (
        sa.table("tag_rule", sa.column("grant_id")),
        sa.table("access_grant", *(sa.column(name) for name in ("id", "kind", "revoked_at", "issued_at"))),
    )
    opens = sa.table("access_grant_study", sa.column("grant_id"))
    # What a rule opened, the version before would open for ever.
    op.execute(opens.delete().where(opens.c.grant_id.in_(sa.select(rule.c.grant_id))))
    op.execute(
        grant.update()
        .where(grant.c.id.in_(sa.select(rule.c.grant_id)))
        .values(kind="physician", revoked_at=sa.func.coalesce(grant.c.revoked_at, grant.c.issued_at))
    )
    for table in (
        "tag_value",
        "study_tag_key",
        "tag_rule_match",
        "tag_rule_member",
        "tag_rule_key",
        "tag_rule",
    ):
        op.drop_table(table)
    op.drop_index("ix_study_unkeyed", "study", sqlite_where=UNKEYED, postgresql_where=UNKEYED)
    op.drop_column("study", "tag_keys_at")
    op.drop_column("study", "other_tags")
