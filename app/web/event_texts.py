"""The audit trail in plain sentences: what happened, and who did it. One table holds every event.

A sentence names no actor: pages show it beside. Facts of the row ("until when", "how many") choose a fuller
sentence where they are there; rows of older versions lack some, and an event of a newer version is named as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from app.domain.events import Event
from app.domain.modality import N_
from app.web import i18n
from app.web.i18n import _

# Of each event first what can always be said; then, by the key of a fact, what is said where the row has it
# ("key=value" where only that value counts). The last one that applies is said.
_SAYS: dict[Event, tuple[str, dict[str, str]]] = {
    Event.STUDY_STABLE: (N_("The study came in."), {}),
    Event.STUDY_CHANGED: (
        N_("The study was changed in the archive."),
        {"what=birth date": N_("The birth date was changed in the archive; open visits were ended.")},
    ),
    Event.STUDY_DELETED: (N_("The study was deleted in the archive."), {}),
    Event.STUDY_REVIVED: (N_("The study came back into the archive."), {}),
    Event.STUDY_AMBIGUOUS: (N_("Another patient's study has the same number."), {}),
    Event.STUDY_DOWNLOADED: (
        N_("The images were downloaded."),
        {"rule": N_("The images were downloaded, by the rule %(rule)s.")},
    ),
    Event.STUDY_RELEASED: (N_("The study was released to the patient by hand."), {}),
    Event.STUDY_HELD: (N_("The study was held back from the patient; open viewers were closed."), {}),
    Event.STUDY_RELEASE_UNDONE: (N_("The release to the patient follows the clinic's rule again."), {}),
    Event.GRANT_ISSUED: (N_("An access code was made."), {}),
    Event.GRANT_REISSUED: (N_("A new access code took the place of the old one."), {}),
    Event.GRANT_REVOKED: (
        N_("The access was revoked: its code stopped working."),
        {"why=tag": N_("The access ended: the study doesn't name any more who had given it on.")},
    ),
    Event.GRANT_SUSPENDED: (
        N_("The access was suspended."),
        {"why": N_("The access was suspended: %(why)s")},
    ),
    Event.GRANT_CONFIRMED: (N_("The suspended access was checked and opened again."), {}),
    Event.GRANT_UNLOCKED: (N_("The failed tries were forgotten: the code can be tried again."), {}),
    Event.GRANT_EXTENDED: (
        N_("The access was extended until it is revoked."),
        {"until": N_("The access was extended until %(until)s.")},
    ),
    Event.GRANT_MAILED: (N_("The link was mailed."), {"to": N_("The link was mailed to %(to)s.")}),
    Event.RULE_MADE: (
        N_("A rule for a DICOM tag was made."),
        {"rule": N_("The rule %(rule)s was made for a DICOM tag.")},
    ),
    Event.RULE_CHANGED: (
        N_("A rule for a DICOM tag was changed."),
        {
            "rule": N_("The rule %(rule)s was changed."),
            "what=code": N_("The rule %(rule)s got a new code and password; the old ones stopped working."),
        },
    ),
    Event.RULE_ANNOUNCED: (
        N_("New studies were announced by mail."),
        {"studies": N_("New studies were announced by mail to %(to)s: %(studies)s.")},
    ),
    Event.RULE_ANNOUNCE_FAILED: (
        N_("New studies could not be announced by mail; Studykey goes on trying."),
        {"why": N_("New studies could not be announced by mail; Studykey goes on trying. %(why)s")},
    ),
    Event.RULE_ENDED: (
        N_("A rule for a DICOM tag was ended."),
        {"rule": N_("The rule %(rule)s was ended: it opens nothing any more.")},
    ),
    Event.ACCESS_STOPPED: (
        N_("The holder stopped all access that they had given on, and every other visit."),
        {},
    ),
    Event.GRANT_SHOWN: (N_("Code and password were shown on a screen."), {}),
    Event.GRANT_PROVED: (
        N_("Code and proof were right."),
        {
            "outcome=expired": N_("Code and proof were right, but the access had ended."),
            "outcome=revoked": N_("Code and proof were right, but the access was revoked."),
            "outcome=suspended": N_("Code and proof were right, but the access was suspended."),
            "outcome=not-yet-released": N_("Code and proof were right, but the study was not open yet."),
        },
    ),
    Event.GRANT_REFUSED: (N_("A try to open failed."), {}),
    Event.VISIT_BEGUN: (
        N_("The study was opened with the code."),
        {"rule": N_("The list of %(rule)s was opened with its code.")},
    ),
    Event.VISIT_ENDED: (
        N_("The visit was ended by its holder."),
        {"visits": N_("Visits were ended: %(visits)s.")},
    ),
    Event.VIEWER_OPENED: (
        N_("The images were opened in the viewer."),
        {"rule": N_("The images were opened in the viewer, by the rule %(rule)s.")},
    ),
    Event.LOOK_OPENED: (
        N_("The images were opened in the light look."),
        {"rule": N_("The images were opened in the light look, by the rule %(rule)s.")},
    ),
    Event.ARCHIVE_OPEN: (
        N_("Alarm: an archive gives studies to everybody."),
        {"archive": N_("Alarm: the archive %(archive)s gives studies to everybody.")},
    ),
    Event.ARCHIVE_GUARDED: (
        N_("An archive is guarded again."),
        {"archive": N_("The archive %(archive)s is guarded again.")},
    ),
    Event.BACKUP_MADE: (N_("A backup was made."), {"file": N_("A backup was made: %(file)s.")}),
    Event.BACKUP_RESTORED: (
        N_("A backup was restored."),
        {"made_at": N_("The backup of %(made_at)s was restored.")},
    ),
    Event.KEY_ROTATED: (N_("A new key was made."), {"kid": N_("A new key was made: %(kid)s.")}),
    Event.KEY_RETIRED: (N_("A key was retired."), {"kid": N_("The key %(kid)s was retired.")}),
    Event.REPORT_SIGNED: (N_("The report was signed."), {}),
    Event.REPORT_AMENDED: (
        N_("The report was amended."),
        {"version": N_("The report was amended: version %(version)s.")},
    ),
    Event.REPORT_DISCARDED: (N_("A draft of the report was thrown away."), {}),
    Event.REPORT_PRINTED: (N_("The report was printed with the access code."), {}),
    Event.REPORT_READ: (
        N_("The report was read."),
        {
            "version": N_("The report was read (version %(version)s)."),
            "rule": N_("The report was read (version %(version)s), by the rule %(rule)s."),
        },
    ),
    Event.REPORT_DOWNLOADED: (
        N_("The report was downloaded without the access code."),
        {"version": N_("The report was downloaded without the access code (version %(version)s).")},
    ),
    Event.REPORT_STORED: (
        N_("The report was stored in the archive."),
        {"version": N_("The report was stored in the archive (version %(version)s).")},
    ),
    Event.REPORT_STORE_FAILED: (
        N_("The report could not be stored in the archive; Studykey goes on trying."),
        {"why": N_("The report could not be stored in the archive; Studykey goes on trying. %(why)s")},
    ),
    Event.REPORT_WITHDRAWN: (
        N_("The report was taken out of the archive again."),
        {"version": N_("Version %(version)s of the report was taken out of the archive again.")},
    ),
    Event.SHEET_PRINTED: (
        N_("The access sheet was printed."),
        {"kind=label": N_("A label with the access code was printed.")},
    ),
    Event.SITE_CHANGED: (
        N_("A setting was changed."),
        {"setting": N_("The setting “%(setting)s” was changed.")},
    ),
    Event.MAIL_SENT: (
        N_("A mail written in Orthanc Explorer was sent."),
        {"to": N_("A mail written in Orthanc Explorer was sent to %(to)s.")},
    ),
    Event.MAIL_FAILED: (
        N_("A mail could not be sent."),
        {"to": N_("A mail to %(to)s could not be sent.")},
    ),
    Event.ATTACK_BEGUN: (N_("Alarm: somebody was guessing access codes."), {}),
    Event.ATTACK_ENDED: (N_("The guessing of access codes stopped."), {}),
    Event.LIMITS_RESET: (
        N_("Failed tries were forgiven."),
        {
            "network": N_("Failed tries of the network %(network)s were forgiven."),
            "account": N_("Failed tries to sign in as %(account)s were forgiven."),
        },
    ),
    Event.STAFF_VIEWED: (
        N_("The images were opened by staff."),
        {"how=look": N_("The images were opened by staff in the light look.")},
    ),
    Event.STAFF_EXPLORED: (
        N_("Orthanc Explorer was opened by staff."),
        {"archive": N_("Orthanc Explorer of the archive %(archive)s was opened by staff.")},
    ),
    Event.STAFF_ADDED: (
        N_("An account was added."),
        {
            "login": N_("The account %(login)s was added."),
            "roles": N_("The account %(login)s was added: %(roles)s."),
        },
    ),
    Event.STAFF_CHANGED: (
        N_("An account was changed."),
        {
            "login": N_("The account %(login)s was changed."),
            "name": N_("The account %(login)s was given the name %(name)s."),
            "roles": N_("The account %(login)s was given other roles: %(roles)s."),
            "password": N_("The account %(login)s was given another password."),
            "second_factor=set up": N_("The account %(login)s got a second factor."),
            "second_factor=removed": N_("The second factor of the account %(login)s was removed."),
        },
    ),
    Event.STAFF_DISABLED: (
        N_("An account was disabled."),
        {"login": N_("The account %(login)s was disabled.")},
    ),
    Event.STAFF_ENABLED: (
        N_("An account was enabled again."),
        {"login": N_("The account %(login)s was enabled again.")},
    ),
    Event.STAFF_LINK_MADE: (
        N_("A link for signing in was made."),
        {
            "login": N_("A link for signing in was made for %(login)s."),
            "purpose=invitation": N_("An invitation was made for %(login)s."),
            "purpose=password": N_("A link for another password was made for %(login)s."),
        },
    ),
    Event.STAFF_LINK_REVOKED: (
        N_("A link for signing in was taken back."),
        {"login": N_("A link for signing in of %(login)s was taken back.")},
    ),
    Event.STAFF_LOCKED: (N_("The screen was locked."), {}),
    Event.STAFF_UNLOCKED: (N_("The screen was unlocked."), {}),
    Event.STAFF_TOKEN_ISSUED: (
        N_("A token for the archive was made."),
        {
            "login": N_("A token for the archive was made for %(login)s."),
            "token": N_("A token for the archive was made for %(login)s: %(token)s."),
        },
    ),
    Event.STAFF_TOKEN_REVOKED: (
        N_("A token for the archive was taken back."),
        {
            "login": N_("A token for the archive of %(login)s was taken back."),
            "token": N_("A token for the archive of %(login)s was taken back: %(token)s."),
        },
    ),
    Event.STAFF_SIGNED_IN: (N_("Signed in."), {}),
    Event.STAFF_REFUSED: (N_("A try to sign in failed."), {}),
    Event.STAFF_SIGNED_OUT: (
        N_("Signed out."),
        {"sessions": N_("Sessions of %(login)s were ended: %(sessions)s.")},
    ),
    Event.AUDIT_VERIFIED: (
        N_("The audit trail was verified."),
        {
            "rows": N_("The audit trail was verified: %(rows)s rows."),
            "outcome=broken": N_("The audit trail was verified: it is not whole."),
        },
    ),
    Event.AUDIT_EXPORTED: (N_("The audit trail was exported."), {}),
    Event.AUDIT_PURGED: (
        N_("Old rows of the audit trail were deleted."),
        {"rows": N_("Old rows of the audit trail were deleted: %(rows)s.")},
    ),
}

# What a patient or whom they trust did with a study: these stand out where staff read.
OPENINGS = frozenset(
    {
        Event.VISIT_BEGUN,
        Event.VIEWER_OPENED,
        Event.LOOK_OPENED,
        Event.REPORT_READ,
        Event.STUDY_DOWNLOADED,
    }
)

_ROLES = {
    "admin": N_("administrator"),
    "radiologist": N_("radiologist"),
    "desk": N_("front desk"),
    "viewer": N_("may only look"),
    "physician": N_("referring physician"),
    "device": N_("device"),
}


def event_text(event: str, details: Mapping[str, Any]) -> str:
    """What a row of the audit trail tells, as a sentence in the reader's language."""
    try:
        text, fuller = _SAYS[Event(event)]
    except (ValueError, KeyError):
        return _("Something that this version has no words for: %(event)s.", event=event)
    told = {key: value for key, value in details.items() if value not in (None, "")}
    for condition, candidate in fuller.items():
        key, _equals, value = condition.partition("=")
        if key in told and (not value or told[key] == value):
            text = candidate
    values = {key: _shown(key, value) for key, value in told.items()}
    with suppress(KeyError):  # a sentence that needs two facts, of which the row has one
        return _(text, **values)
    return _(_SAYS[Event(event)][0])


def actor_text(actor: str, names: Mapping[str, str]) -> str:
    """Who did it; ``names`` maps logins to people's names."""
    kind, _colon, name = actor.partition(":")
    if kind == "staff" and name == "command-line":
        return _("on the server's command line")
    if kind == "staff":
        return names.get(name, name)
    if kind == "archive":
        return _("archive %(name)s", name=_isolated(name))
    return {"holder": _("holder of the code"), "studykey": "Studykey", "unknown": _("unknown")}.get(
        kind, actor
    )


def login_of(actor: str) -> str | None:
    """The login of an actor who has an account."""
    kind, _colon, name = actor.partition(":")
    return name if kind == "staff" else None


def _shown(key: str, value: Any) -> str:
    if key == "roles":
        return ", ".join(_(_ROLES[role]) if role in _ROLES else role for role in str(value).split(","))
    if key in ("until", "made_at"):
        with suppress(ValueError):
            return i18n.show_moment(datetime.fromisoformat(str(value)))
    if key == "why":
        return _(str(value))  # a sentence of ours, which the catalogues may know
    return _isolated(str(value))


def _isolated(text: str) -> str:
    """Text from outside within a sentence: its direction stays its own (Unicode UAX 9: FSI … PDI)."""
    return text if text.isascii() else f"\u2068{text}\u2069"
