from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Model, UtcDateTime


class Study(Model):
    """A DICOM study known to Studykey, as its archive told it last. Texts are already cleaned."""

    __tablename__ = "study"
    __table_args__ = (
        # Orthanc's id is a hash of PatientID and StudyInstanceUID: the UID alone is not one study.
        UniqueConstraint("archive_id", "orthanc_id"),
        Index(None, "archive_id", "study_instance_uid"),
        Index(None, "stable_at", "id"),
        Index(None, "study_date", "id"),
        Index(None, "birth_date_state", "id"),
        # A patient's other studies. Hashed: a hostile PatientID is too long for a tree.
        Index(None, "patient_id", postgresql_using="hash"),
        # Those that the search doesn't know yet: none, a short while after an update of Studykey. The index behind
        # the search itself is migration 0007's (models.study_search).
        Index(
            "ix_study_unsearchable",
            "id",
            sqlite_where=text("search_words = ''"),
            postgresql_where=text("search_words = ''"),
        ),
        # Those whose tags no rule can find yet: none, a short while after an update of Studykey.
        Index(
            "ix_study_unkeyed",
            "id",
            sqlite_where=text("tag_keys_at IS NULL"),
            postgresql_where=text("tag_keys_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    archive_id: Mapped[int] = mapped_column(ForeignKey("archive.id"))
    orthanc_id: Mapped[str] = mapped_column(String(44))
    study_instance_uid: Mapped[str] = mapped_column(String(64))
    patient_id: Mapped[str] = mapped_column(Text)
    # The PN value as it came (components and groups), for comparison; pages show it through domain.dicom.
    patient_name: Mapped[str] = mapped_column(Text)
    # PatientBirthDate as it came; the usable date beside it is NULL unless the state is "valid".
    birth_date_text: Mapped[str] = mapped_column(Text)
    birth_date: Mapped[date | None]
    birth_date_state: Mapped[str] = mapped_column(String(16))
    patient_sex: Mapped[str] = mapped_column(Text)
    # NULL: StudyDate missing or no date.
    study_date: Mapped[date | None]
    description: Mapped[str] = mapped_column(Text)
    accession_number: Mapped[str] = mapped_column(Text)
    # Modalities in the study, sorted, joined by a backslash as in DICOM.
    modalities: Mapped[str] = mapped_column(Text)
    body_part: Mapped[str] = mapped_column(Text)
    institution_name: Mapped[str] = mapped_column(Text)
    referring_physician: Mapped[str] = mapped_column(Text)
    performing_physician: Mapped[str] = mapped_column(Text)
    reading_physicians: Mapped[str] = mapped_column(Text)
    responsible_organization: Mapped[str] = mapped_column(Text)
    # Its other main tags and its labels by keyword, as JSON, for rules that name one. Empty: none, or from before.
    other_tags: Mapped[str] = mapped_column(Text, default="", server_default="")
    # When study_tag_key was made of its tags. NULL: not yet.
    tag_keys_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # What staff find it by: folded words, separated by spaces (domain.search). Empty: not made yet.
    search_words: Mapped[str] = mapped_column(Text, default="", server_default="")
    series_count: Mapped[int]
    instance_count: Mapped[int]
    # Digest over what Orthanc lists of the study: differs when a reconciliation has to read it again.
    fingerprint: Mapped[str] = mapped_column(String(64))
    # Orthanc's LastUpdate, of its clock.
    archive_updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # When Studykey first learnt that the study was stable.
    stable_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: in the archive. Otherwise when Studykey noticed that it is gone.
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Release to the patient by hand, in place of the rule (domain.release). NULL both: as the rule says.
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Not before staff say so. NULL: not held back.
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
