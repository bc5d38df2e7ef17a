"""accounts: several roles, second factor, links, tokens, sessions that can be listed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pepper_kid", sa.String(length=16), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_recovery_code_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("staff_id", "mac", name=op.f("uq_recovery_code_staff_id_mac")),
    )
    with op.batch_alter_table("recovery_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recovery_code_staff_id"), ["staff_id"], unique=False)
    op.create_table(
        "staff_link",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("may_change", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("made_by", sa.String(length=80), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_link_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_link")),
    )
    with op.batch_alter_table("staff_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_link_staff_id"), ["staff_id"], unique=False)
    op.create_table(
        "staff_token",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["staff_session.id"], name=op.f("fk_staff_token_session_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_token_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_token")),
    )
    with op.batch_alter_table("staff_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_token_session_id"), ["session_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_staff_token_staff_id"), ["staff_id"], unique=False)
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.add_column(sa.Column("roles", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("totp_sealed", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("totp_kid", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("subject", sa.Text(), nullable=True))
        batch_op.alter_column("password_hash", existing_type=sa.String(length=160), nullable=True)
        batch_op.alter_column("pepper_kid", existing_type=sa.String(length=16), nullable=True)
        batch_op.create_unique_constraint(batch_op.f("uq_staff_subject"), ["subject"])
    with op.batch_alter_table("staff_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("locked_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("may_change", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("address", sa.String(length=48), server_default="", nullable=False))
        batch_op.add_column(sa.Column("browser", sa.String(length=200), server_default="", nullable=False))
    staff = sa.table("staff", sa.column("role", sa.String), sa.column("roles", sa.String))
    op.execute(staff.update().values(roles=staff.c.role))
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.alter_column(
            "roles", existing_type=sa.String(length=64), nullable=False, server_default=None
        )
        batch_op.drop_column("role")
    sessions = sa.table(
        "staff_session", sa.column("begun_at", sa.DateTime), sa.column("proved_at", sa.DateTime)
    )
    op.execute(sessions.update().values(proved_at=sessions.c.begun_at))


def downgrade() -> None:
    staff = sa.table("staff", sa.column("password_hash", sa.String), sa.column("pepper_kid", sa.String))
    # No password is no password: nothing hashes to this.
    op.execute(
        staff.update().where(staff.c.password_hash.is_(None)).values(password_hash="none", pepper_kid="none")  # noqa: S106
    )
    with op.batch_alter_table("staff_session", schema=None) as batch_op:
        batch_op.drop_column("browser")
        batch_op.drop_column("address")
        batch_op.drop_column("may_change")
        batch_op.drop_column("locked_at")
        batch_op.drop_column("proved_at")
    with op.batch_alter_table("staff", schema=None) as batch_op:
        batch_op.add_column(sa.Column("role", sa.String(length=16), nullable=False, server_default="viewer"))
        batch_op.drop_constraint(batch_op.f("uq_staff_subject"), type_="unique")
        batch_op.alter_column("pepper_kid", existing_type=sa.String(length=16), nullable=False)
        batch_op.alter_column("password_hash", existing_type=sa.String(length=160), nullable=False)
        batch_op.drop_column("subject")
        batch_op.drop_column("totp_step")
        batch_op.drop_column("totp_kid")
        batch_op.drop_column("totp_sealed")
        batch_op.drop_column("roles")
    with op.batch_alter_table("staff_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_token_staff_id"))
        batch_op.drop_index(batch_op.f("ix_staff_token_session_id"))
    op.drop_table("staff_token")
    with op.batch_alter_table("staff_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_link_staff_id"))
    op.drop_table("staff_link")
    with op.batch_alter_table("recovery_code", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recovery_code_staff_id"))
    op.drop_table("recovery_code")
