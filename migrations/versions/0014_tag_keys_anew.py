"""what tags are found by is made differently: the follower makes all of it anew, the newest studies first

Names that 0013's keys took for the same aren't any more (titles that are names, father and son, kana, long names).
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    _empty()


def downgrade() -> None:
    _empty()


def _empty() -> None:
    op.execute("DELETE FROM study_tag_key")
    op.execute("DELETE FROM tag_rule_key")
    op.execute("UPDATE study SET tag_keys_at = NULL WHERE tag_keys_at IS NOT NULL")
