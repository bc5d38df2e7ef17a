"""limits per network and for the whole site"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        # Attempts of before the upgrade count for their narrow network only.
        batch_op.add_column(
            sa.Column("wide_network", sa.String(length=48), nullable=False, server_default="")
        )
        batch_op.add_column(
            sa.Column("is_under_cap", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("is_forgiven", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.drop_index(batch_op.f("ix_attempt_network"))
        batch_op.drop_index(batch_op.f("ix_attempt_grant_id"))
        batch_op.create_index(batch_op.f("ix_attempt_network_at"), ["network", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_wide_network_at"), ["wide_network", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_grant_id_at"), ["grant_id", "at"], unique=False)

    op.create_table(
        "alarm",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_alarm")),
    )


def downgrade() -> None:
    op.drop_table("alarm")
    with op.batch_alter_table("attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_attempt_grant_id_at"))
        batch_op.drop_index(batch_op.f("ix_attempt_wide_network_at"))
        batch_op.drop_index(batch_op.f("ix_attempt_network_at"))
        batch_op.create_index(batch_op.f("ix_attempt_grant_id"), ["grant_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempt_network"), ["network"], unique=False)
        batch_op.drop_column("is_forgiven")
        batch_op.drop_column("is_under_cap")
        batch_op.drop_column("wide_network")
