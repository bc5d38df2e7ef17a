"""grants that a holder gave on, and several codes in one visit"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

GIVEN_ON = sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parent_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_access_grant_parent_id"), "access_grant", ["parent_id"], ["id"]
        )
        batch_op.create_index(
            "ix_access_grant_given_on", ["parent_id"], sqlite_where=GIVEN_ON, postgresql_where=GIVEN_ON
        )
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.add_column(sa.Column("leader_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_visit_leader_id"), "visit", ["leader_id"], ["id"])
        batch_op.create_index(batch_op.f("ix_visit_leader_id"), ["leader_id"], unique=False)


def downgrade() -> None:
    grant = sa.table(
        "access_grant",
        sa.column("parent_id", sa.Integer),
        sa.column("revoked_at", sa.DateTime),
        sa.column("issued_at", sa.DateTime),
    )
    # Without its parent nothing would end it.
    op.execute(
        grant.update()
        .where(grant.c.parent_id.is_not(None), grant.c.revoked_at.is_(None))
        .values(revoked_at=grant.c.issued_at)
    )
    with op.batch_alter_table("visit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_visit_leader_id"))
        batch_op.drop_constraint(batch_op.f("fk_visit_leader_id"), type_="foreignkey")
        batch_op.drop_column("leader_id")
    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.drop_index("ix_access_grant_given_on", sqlite_where=GIVEN_ON, postgresql_where=GIVEN_ON)
        batch_op.drop_constraint(batch_op.f("fk_access_grant_parent_id"), type_="foreignkey")
        batch_op.drop_column("parent_id")
