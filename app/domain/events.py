"""The names of what is written to the audit trail: ``subject:verb``."""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    STUDY_STABLE = "study:stable"
    STUDY_CHANGED = "study:changed"
    STUDY_DELETED = "study:deleted"
    STUDY_REVIVED = "study:revived"
    STUDY_AMBIGUOUS = "study:ambiguous"
    STUDY_DOWNLOADED = "study:downloaded"  # the images, by a holder, as a file
    STUDY_RELEASED = "study:released"  # to the patient, by hand
    STUDY_HELD = "study:held"
    STUDY_RELEASE_UNDONE = "study:release-undone"  # the rule counts again
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
    BACKUP_MADE = "backup:made"
    BACKUP_RESTORED = "backup:restored"
    KEY_ROTATED = "key:rotated"
    KEY_RETIRED = "key:retired"
    REPORT_SIGNED = "report:signed"
    REPORT_AMENDED = "report:amended"
    REPORT_DISCARDED = "report:discarded"  # a draft, thrown away
    REPORT_PRINTED = "report:printed"
    REPORT_READ = "report:read"
    REPORT_DOWNLOADED = "report:downloaded"  # by staff, without access block
    REPORT_STORED = "report:stored"  # into the archive
    REPORT_STORE_FAILED = "report:store-failed"
    REPORT_WITHDRAWN = "report:withdrawn"  # from the archive
    SHEET_PRINTED = "sheet:printed"
    SITE_CHANGED = "site:changed"
    MAIL_SENT = "mail:sent"  # written in Orthanc Explorer
    MAIL_FAILED = "mail:failed"
    ATTACK_BEGUN = "attack:begun"
    ATTACK_ENDED = "attack:ended"
    LIMITS_RESET = "limits:reset"
    GRANT_EXTENDED = "grant:extended"
    GRANT_MAILED = "grant:mailed"
    GRANT_SHOWN = "grant:shown"  # somebody uncovered code and password on a page
    ACCESS_STOPPED = "access:stopped"  # a holder ended what was given on, and other visits
    RULE_MADE = "rule:made"
    RULE_CHANGED = "rule:changed"
    RULE_ENDED = "rule:ended"
    RULE_ANNOUNCED = "rule:announced"  # new studies, by mail
    RULE_ANNOUNCE_FAILED = "rule:announce-failed"
    STAFF_VIEWED = "staff:viewed"  # somebody with an account opened images
    STAFF_EXPLORED = "staff:explored"  # … or Orthanc Explorer, with all studies of an archive
    STAFF_ADDED = "staff:added"
    STAFF_CHANGED = "staff:changed"  # name, roles, password, second factor; the details say what
    STAFF_DISABLED = "staff:disabled"
    STAFF_ENABLED = "staff:enabled"
    STAFF_LINK_MADE = "staff:link-made"
    STAFF_LINK_REVOKED = "staff:link-revoked"
    STAFF_LOCKED = "staff:locked"
    STAFF_UNLOCKED = "staff:unlocked"
    STAFF_TOKEN_ISSUED = "staff:token-issued"  # noqa: S105 - the name of an event
    STAFF_TOKEN_REVOKED = "staff:token-revoked"  # noqa: S105
    AUDIT_VERIFIED = "audit:verified"
    STAFF_SIGNED_IN = "staff:signed-in"
    STAFF_REFUSED = "staff:refused"
    STAFF_SIGNED_OUT = "staff:signed-out"
    AUDIT_EXPORTED = "audit:exported"
    AUDIT_PURGED = "audit:purged"
