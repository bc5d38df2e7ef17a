"""The names of what is written to the audit trail: ``subject:verb``."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    STUDY_STABLE = "study:stable"
    STUDY_CHANGED = "study:changed"
    STUDY_DELETED = "study:deleted"
    STUDY_REVIVED = "study:revived"
    STUDY_AMBIGUOUS = "study:ambiguous"
    GRANT_ISSUED = "grant:issued"
    GRANT_REISSUED = "grant:reissued"
    GRANT_REVOKED = "grant:revoked"
    GRANT_SUSPENDED = "grant:suspended"
    GRANT_CONFIRMED = "grant:confirmed"
    GRANT_UNLOCKED = "grant:unlocked"
    GRANT_PROVED = "grant:proved"
    GRANT_REFUSED = "grant:refused"
    VISIT_BEGUN = "visit:begun"
    VISIT_ENDED = "visit:ended"
    VIEWER_OPENED = "viewer:opened"
    LOOK_OPENED = "look:opened"
    ARCHIVE_OPEN = "archive:open"
    ARCHIVE_GUARDED = "archive:guarded"
    REPORT_SIGNED = "report:signed"
    REPORT_AMENDED = "report:amended"
    REPORT_PRINTED = "report:printed"
    REPORT_READ = "report:read"
    SHEET_PRINTED = "sheet:printed"
    SITE_CHANGED = "site:changed"
    STAFF_ADDED = "staff:added"
    STAFF_SIGNED_IN = "staff:signed-in"
    STAFF_REFUSED = "staff:refused"
    STAFF_SIGNED_OUT = "staff:signed-out"
