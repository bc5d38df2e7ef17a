"""the audit trail's chain, and triggers that keep its rows

SQLite: a later batch operation on audit_event makes the table anew and drops its triggers; create them again there.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# A row may go when the chain's ends, which are sealed, say that it was purged.
SQLITE = (
    """CREATE TRIGGER audit_event_stays BEFORE UPDATE ON audit_event
       BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
    """CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_event
       WHEN OLD.id > (SELECT purged_id FROM audit_chain)
       BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
)
POSTGRESQL = (
    """CREATE FUNCTION audit_event_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           IF TG_OP = 'DELETE' AND OLD.id <= (SELECT purged_id FROM audit_chain) THEN RETURN OLD; END IF;
           RAISE EXCEPTION 'the audit trail is append-only';
       END $$""",
    """CREATE TRIGGER audit_event_kept BEFORE UPDATE OR DELETE ON audit_event
       FOR EACH ROW EXECUTE FUNCTION audit_event_refuse()""",
)


def upgrade() -> None:
    chain = op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last_id", sa.Integer(), nullable=False),
        sa.Column("last_mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purged_id", sa.Integer(), nullable=False),
        sa.Column("purged_mac", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seal", sa.LargeBinary(length=32), nullable=True),
        sa.Column("kid", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chain")),
    )
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mac", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("kid", sa.String(length=16), nullable=True))
        batch_op.drop_index(batch_op.f("ix_audit_event_at"))
        batch_op.drop_index(batch_op.f("ix_audit_event_grant_id"))
        batch_op.drop_index(batch_op.f("ix_audit_event_study_id"))
    # Rows from before the chain stay, outside of it.
    events = sa.table(
        "audit_event",
        sa.column("id", sa.Integer),
        sa.column("mac", sa.LargeBinary),
        sa.column("kid", sa.String),
    )
    op.execute(events.update().values(mac=b"", kid=""))
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.alter_column("mac", existing_type=sa.LargeBinary(length=32), nullable=False)
        batch_op.alter_column("kid", existing_type=sa.String(length=16), nullable=False)
        batch_op.create_index(batch_op.f("ix_audit_event_grant_id_at"), ["grant_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_study_id_at"), ["study_id", "at"], unique=False)
    newest = op.get_bind().scalar(sa.select(sa.func.coalesce(sa.func.max(events.c.id), 0)))
    op.bulk_insert(
        chain, [{"id": 1, "last_id": newest, "last_mac": b"", "purged_id": newest, "purged_mac": b""}]
    )
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_event_kept")
        op.execute("DROP TRIGGER audit_event_stays")
    else:
        op.execute("DROP TRIGGER audit_event_kept ON audit_event")
        op.execute("DROP FUNCTION audit_event_refuse")
    with op.batch_alter_table("audit_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_event_study_id_at"))
        batch_op.drop_index(batch_op.f("ix_audit_event_grant_id_at"))
        batch_op.drop_column("kid")
        batch_op.drop_column("mac")
        batch_op.create_index(batch_op.f("ix_audit_event_study_id"), ["study_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_grant_id"), ["grant_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_event_at"), ["at"], unique=False)
    op.drop_table("audit_chain")
