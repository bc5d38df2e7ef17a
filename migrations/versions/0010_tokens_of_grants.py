"""viewer tokens that a grant holds itself, made through Orthanc"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.batch_alter_table("viewer_token", schema=None) as batch_op:
        batch_op.add_column(sa.Column("grant_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("purpose", sa.String(40), server_default="", nullable=False))
        batch_op.alter_column("visit_id", existing_type=sa.Integer(), nullable=True)
        batch_op.alter_column("study_id", existing_type=sa.Integer(), nullable=True)
        batch_op.create_index(batch_op.f("ix_viewer_token_grant_id"), ["grant_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_viewer_token_grant_id"), "access_grant", ["grant_id"], ["id"]
        )
        batch_op.create_check_constraint("one_holder", "(visit_id IS NULL) <> (grant_id IS NULL)")


def downgrade() -> None:
    token = sa.table("viewer_token", sa.column("visit_id", sa.Integer))
    op.execute(token.delete().where(token.c.visit_id.is_(None)))
    with op.batch_alter_table("viewer_token", schema=None) as batch_op:
        batch_op.drop_constraint("one_holder", type_="check")
        batch_op.drop_constraint(batch_op.f("fk_viewer_token_grant_id"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_viewer_token_grant_id"))
        batch_op.alter_column("study_id", existing_type=sa.Integer(), nullable=False)
        batch_op.alter_column("visit_id", existing_type=sa.Integer(), nullable=False)
        batch_op.drop_column("purpose")
        batch_op.drop_column("grant_id")
