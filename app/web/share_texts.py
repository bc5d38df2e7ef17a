"""Shares in words: for whom, what stands in the way of one, what became of its mail."""

from __future__ import annotations

from app.domain.grants import Kind
from app.services.sharing import LONGEST_LABEL, MOST_MAILS, Mailing, Problem
from app.web.i18n import _
from app.web.landing_form import FieldError

KINDS = (Kind.PHYSICIAN, Kind.DELEGATE, Kind.GUARDIAN)


# Of several studies: one code for all of them, on one sheet. A single one has its patient's code already.
KINDS_OF_SEVERAL = (Kind.PATIENT, *KINDS)


def kinds(count: int) -> tuple[Kind, ...]:
    """For whom a grant of so many studies can be made by hand."""
    return KINDS_OF_SEVERAL if count > 1 else KINDS


def kind(value: str) -> str:
    """For whom a grant is."""
    return {
        Kind.PATIENT: _("The patient"),
        Kind.PHYSICIAN: _("A physician"),
        Kind.DELEGATE: _("Somebody whom the patient names"),
        Kind.GUARDIAN: _("A parent or guardian"),
        Kind.GROUP: _("A group, by a rule for a DICOM tag"),
        Kind.LINK: _("A link made in Orthanc"),
    }[Kind(value)]


def error(problem: Problem) -> FieldError:
    """The message for a problem, and the field of the form that it is about."""
    match problem:
        case Problem.SUSPENDED:
            text = _("An access to one of these studies is suspended. Check whose study it is first.")
            return FieldError("studies", text)
        case Problem.SEVERAL_PEOPLE:
            return FieldError("several_people", _("Say that you mean to share images of several people."))
        case Problem.NO_LABEL:
            return FieldError("label", _("Write for whom it is, like Dr Ludwig Moreno."))
        case Problem.LONG_LABEL:
            text = _("This is too long: %(most)s characters at most.", most=LONGEST_LABEL)
            return FieldError("label", text)
        case Problem.NO_PERMISSION:
            return FieldError("view", _("Allow at least one: images, report or download."))
        case Problem.NO_SUCH_LIFE:
            return FieldError("days", _("Choose how long it lasts."))
        case Problem.NO_BIRTH_DATE:
            text = _("These studies have no birth date in common that could be asked for.")
            return FieldError("asks_birth_date", text)
        case Problem.PATIENT_BY_MAIL:
            return FieldError("by-hand", _("The patient's code goes out on paper, not by mail."))
        case Problem.MAIL_OFF:
            return FieldError("by-hand", mailing(Mailing.OFF))
        case Problem.BAD_ADDRESS:
            return FieldError("address", mailing(Mailing.BAD_ADDRESS))
        case Problem.TOO_MANY_MAILS:
            return FieldError("by-hand", mailing(Mailing.TOO_MANY))


def mailing(what: Mailing) -> str:
    """Why a mail wasn't sent, and what to do."""
    return {
        Mailing.SENT: _("The mail was sent."),
        Mailing.BAD_ADDRESS: _("Write one mail address, like name@example.org."),
        Mailing.TOO_MANY: _(
            "You have sent %(most)s mails within an hour. Wait a little, or hand over code and password.",
            most=MOST_MAILS,
        ),
        Mailing.OFF: _("Mailing is switched off: no mail server is set up."),
        Mailing.UNREACHABLE: _("The mail server doesn't answer."),
        Mailing.UNSAFE: _(
            "The connection to the mail server isn't safe. Tell the person who looks after Studykey."
        ),
        Mailing.LOGIN: _(
            "The mail server refuses Studykey's password. Tell the person who looks after Studykey."
        ),
        Mailing.REFUSED: _("The mail server refuses to send to this address. Check it."),
    }[what]


def status(what: Mailing) -> int:
    """The HTTP status of a page that says that a mail wasn't sent. The share itself was made all the same."""
    return {Mailing.BAD_ADDRESS: 422, Mailing.REFUSED: 422, Mailing.TOO_MANY: 429}.get(what, 502)
