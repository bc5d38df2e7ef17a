"""what the audit page and the page of limits look for: the last verification, grants that failed and have to wait"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_VERIFIED = sa.text("event = 'audit:verified'")
_FAILING = sa.text("failures > 3 OR failures_in_life > 99")


def upgrade() -> None:
    op.create_index(
        "ix_audit_event_verified", "audit_event", ["id"], sqlite_where=_VERIFIED, postgresql_where=_VERIFIED
    )
    op.create_index(
        "ix_access_grant_failing",
        "access_grant",
        ["next_try_at"],
        sqlite_where=_FAILING,
        postgresql_where=_FAILING,
    )


def downgrade() -> None:
    op.drop_index("ix_access_grant_failing", "access_grant")
    op.drop_index("ix_audit_event_verified", "audit_event")
