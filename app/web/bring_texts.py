"""Why a file isn't taken, and what to look at before signing for one, in sentences."""

from __future__ import annotations

from app.adapters.pdf_files import Refusal
from app.domain.report import LARGEST_PDF, MOST_PAGES
from app.services.bringing import Caution
from app.web.i18n import _


def refusal(why: Refusal) -> str:
    match why:
        case Refusal.NO_PDF:
            return _("This file is no PDF.")
        case Refusal.TOO_LARGE:
            return _("This PDF is too large: %(most)s MB at most.", most=LARGEST_PDF // 1024 // 1024)
        case Refusal.TOO_MANY_PAGES:
            return _("This PDF has too many pages: %(most)s at most.", most=MOST_PAGES)
        case Refusal.ENCRYPTED:
            return _("This PDF opens with a password only. Save it without one, then bring it again.")
        case Refusal.PROTECTED:
            return _(
                "This PDF is protected against changes, so the access code can't be put into it."
                " Save it without protection, then bring it again."
            )
        case Refusal.BROKEN:
            return _("This PDF is damaged: part of it may be missing. Export it again where it was made.")
        case Refusal.SCRIPT:
            return _(
                "This PDF carries a program (JavaScript). Export it as a plain PDF, or print it into one."
            )
        case Refusal.LAUNCH:
            return _("This PDF opens other files. Export it as a plain PDF, or print it into one.")
        case Refusal.SENDS:
            return _("This PDF sends data or opens web pages by itself. Print it into a plain PDF.")
        case Refusal.EMBEDDED:
            return _("Other files are packed into this PDF. Export it without attachments.")
        case Refusal.MEDIA:
            return _("This PDF carries sound, film or 3D. Print it into a plain PDF.")
        case Refusal.XFA:
            return _("This PDF is a form that most readers can't show (XFA). Print it into a plain PDF.")
        case Refusal.TOO_HARD:
            return _("This PDF takes too long to read. Print it into a plain PDF.")


def caution(what: Caution) -> str:
    match what:
        case Caution.NOT_THIS_PATIENT:
            return _(
                "Neither the patient's name nor their ID stands in its text. Is it this patient's report?"
            )
        case Caution.NO_NAME:
            return _("The patient's ID stands in its text, the name doesn't. Compare it.")
        case Caution.BIRTH_DATE:
            return _(
                "Its text shows the patient's date of birth, and the access code asks for it: whoever finds the"
                " print holds both. Better bring one without it, or give access with a password."
            )
        case Caution.NO_TEXT:
            return _(
                "It has no text, as a scan: read for yourself whose report it is, and no screen reader can."
            )
        case Caution.SIGNED:
            return _(
                "It carries a digital signature. The file stays as it is; the print with the access code on it"
                " doesn't count as signed."
            )
        case Caution.MENDED:
            return _("It was slightly damaged on its way. All pages are there: look through them.")
