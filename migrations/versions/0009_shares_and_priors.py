"""finding what was shared, and a patient's other studies"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SHARED = sa.text("kind <> 'patient'")


def upgrade() -> None:
    op.create_index(
        "ix_access_grant_shared", "access_grant", ["id"], sqlite_where=SHARED, postgresql_where=SHARED
    )
    op.create_index("ix_study_patient_id", "study", ["patient_id"], postgresql_using="hash")


def downgrade() -> None:
    op.drop_index("ix_study_patient_id", "study")
    op.drop_index("ix_access_grant_shared", "access_grant")
