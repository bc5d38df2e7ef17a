"""reports with four sections, brought PDFs, templates, text blocks, copies, deliveries; release by hand"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

NEW_TEXTS = ("origin", "headings", "indication", "technique")


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _reference(table: str, target: str) -> sa.ForeignKeyConstraint:
    column = f"{target}_id"
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    for name in NEW_TEXTS:
        op.add_column("report", _text(name))
    op.add_column(
        "report", sa.Column("source", sa.String(length=16), server_default="written", nullable=False)
    )
    op.add_column("report", sa.Column("language", sa.String(length=16), server_default="", nullable=False))
    # Added, not rebuilt: the triggers behind the search stay.
    op.add_column("study", _moment("released_at", nullable=True))
    op.add_column("study", _moment("held_at", nullable=True))
    op.create_table(
        "report_aside",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("indication", "technique", "findings", "impression", "reason")
        ),
        _moment("saved_at"),
        _reference("report_aside", "study"),
        _reference("report_aside", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_aside")),
        sa.UniqueConstraint("study_id", "staff_id", name=op.f("uq_report_aside_study_id_staff_id")),
    )
    op.create_table(
        "report_copy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        _moment("made_at"),
        _reference("report_copy", "report"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_copy")),
        sa.UniqueConstraint("sha256", name=op.f("uq_report_copy_sha256")),
    )
    op.create_index("ix_report_copy_report_id", "report_copy", ["report_id"])
    op.create_table(
        "report_delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        _moment("due_at", nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        _moment("stored_at", nullable=True),
        sa.Column("orthanc_id", sa.String(length=44), nullable=True),
        _reference("report_delivery", "report"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_delivery")),
        sa.UniqueConstraint("report_id", name=op.f("uq_report_delivery_report_id")),
    )
    is_due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_report_delivery_due", "report_delivery", ["due_at"], sqlite_where=is_due, postgresql_where=is_due
    )
    op.create_table(
        "report_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        _text("name"),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("pdf", sa.LargeBinary(), nullable=False),
        _moment("made_at"),
        _reference("report_file", "report"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_file")),
        sa.UniqueConstraint("report_id", "purpose", name=op.f("uq_report_file_report_id_purpose")),
    )
    op.create_table(
        "report_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("modality", sa.String(length=16), server_default="", nullable=False),
        sa.Column("name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("language", sa.String(length=16), server_default="", nullable=False),
        *(
            _text(f"{section}{suffix}")
            for suffix in ("_heading", "")
            for section in ("indication", "technique", "findings", "impression")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_template")),
        sa.UniqueConstraint("modality", "name", name=op.f("uq_report_template_modality_name")),
    )
    op.create_table(
        "text_block",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("letters", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        _reference("text_block", "staff"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_text_block")),
    )
    op.create_index("ix_text_block_own", "text_block", ["staff_id", "letters"], unique=True)
    is_shared = sa.text("staff_id IS NULL")
    op.create_index(
        "ix_text_block_shared",
        "text_block",
        ["letters"],
        unique=True,
        sqlite_where=is_shared,
        postgresql_where=is_shared,
    )


def downgrade() -> None:
    op.drop_table("text_block")
    op.drop_table("report_template")
    # Nothing that somebody brought or signed for may go lost by the way.
    files = op.get_bind().scalar(sa.select(sa.func.count()).select_from(sa.table("report_file")))
    if files:
        raise RuntimeError(
            f"{files} report PDFs are in the database: the version before has no place for them"
        )
    op.drop_table("report_file")
    op.drop_table("report_delivery")
    op.drop_table("report_copy")
    op.drop_table("report_aside")
    op.drop_column("study", "held_at")
    op.drop_column("study", "released_at")
    op.drop_column("report", "language")
    op.drop_column("report", "source")
    for name in reversed(NEW_TEXTS):
        op.drop_column("report", name)
