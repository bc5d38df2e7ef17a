"""The page on which a report is written, as it is drawn: what stands in its fields, and what is in view beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import make_response, render_template, request
from werkzeug.wrappers import Response

from app.adapters import page_images
from app.adapters.pdf import RenderersBusy, RenderingFailed
from app.domain.dicom import parse_person_name
from app.domain.report import Section, Source
from app.models import Report, ReportAside, ReportTemplate, Study
from app.services.papers import GlyphsMissing
from app.services.reports import Text
from app.web import access, i18n, report_texts, study_texts
from app.web.context import services
from app.web.i18n import _

BESIDE = ("page", "images", "priors")


@dataclass(frozen=True)
class Desk:
    """What somebody finds on their desk: the draft, the version that stands, what is kept aside for them, and the
    template that a new report begins with."""

    draft: Report | None
    signed: Report | None
    aside: ReportAside | None
    template: ReportTemplate | None

    @property
    def revision(self) -> int:
        return self.draft.revision if self.draft else 0

    @property
    def theirs(self) -> Report | None:
        """What the other person saved or signed; None where it was thrown away."""
        return (self.draft or self.signed) if self.aside else None

    @property
    def frame(self) -> Text:
        """Language and headings without a word in them: what a report keeps of the template it began with."""
        if base := self.draft or self.signed:
            kept = Text.of(base)
            return Text(language=kept.language, headings=kept.headings)
        headings = services().report_templates.headings(self.template)
        return Text(language=self.template.language if self.template else "", headings=headings)

    @property
    def text(self) -> Text:
        """What stands in the fields."""
        if self.aside:
            # Where the writer has nothing, the other's words: pressing "save" at once must not lose them.
            theirs = words_of(self.theirs) if self.theirs else {}
            mine = {name: words or theirs.get(name, "") for name, words in words_of(self.aside).items()}
            return self.frame.saying(mine | {"reason": self.aside.reason})
        if self.draft:
            return Text.of(self.draft)
        if self.signed:
            return Text.of(self.signed, reason="")
        return self.frame.saying(words_of(self.template)) if self.template else self.frame


def words_of(row: Report | ReportAside | ReportTemplate) -> dict[str, str]:
    """What stands in each section."""
    return {section.value: getattr(row, section) or "" for section in Section}


def desk(study: Study) -> Desk:
    """``?template=`` or the form's field of that name: the template that was chosen for a new report."""
    reports, templates = services().reports, services().report_templates
    chosen = request.values.get("template", type=int)
    offered = {template.id: template for template in templates.offered(study)}
    return Desk(
        draft=reports.draft(study),
        signed=reports.signed(study),
        aside=reports.aside(study, access.staff()),
        template=offered.get(chosen or 0) or templates.default(study),
    )


def page(
    study: Study, *, text: Text | None = None, problem: str = "", field: str = "", status: int = 200
) -> Response:
    """``text``: what was typed, where it couldn't be saved; ``problem`` says why, at ``field``."""
    here = desk(study)
    shown, theirs = text or here.text, here.theirs
    labels = report_texts.headings(shown)
    templates = services().report_templates.offered(study)
    body = render_template(
        "staff/report.html",
        **header(study),
        desk=here,
        text=shown,
        sections=[
            {
                "key": section.value,
                "label": labels[section],
                "value": getattr(shown, section),
                "theirs": (getattr(theirs, section) or "") if theirs else "",
            }
            for section in Section
        ],
        theirs=theirs,
        theirs_name=(theirs.signed_name or services().reports.writer(theirs)) if theirs else "",
        templates=templates,
        blocks=services().text_blocks.of(access.staff()),
        priors=priors(study),
        beside=request.args.get("beside", "") if request.args.get("beside") in BESIDE else "page",
        done=request.args.get("done", ""),
        problem=problem,
        problem_field=field,
    )
    return make_response(body, status)


def header(study: Study) -> dict[str, Any]:
    """What stands over everything that is about a report: whose it is and of what, out of the images."""
    return {
        "staff": access.staff(),
        "study": study,
        "title": study_texts.describe(study)["title"],
        "patient_name": parse_person_name(study.patient_name).shown,
        "referring": parse_person_name(study.referring_physician).shown,
        "open_archives": services().archives.open_ones(),
    }


def priors(study: Study) -> list[dict[str, Any]]:
    """Signed reports on other studies of the same patient in the same archive, the newest study first."""
    others = services().timeline.others(study)
    signed = services().reports.newest_signed(others)
    return [
        study_texts.describe(other)
        | {"study": other, "report": signed[other.id], "parts": report_texts.parts(signed[other.id])}
        for other in others
        if other.id in signed
    ]


@dataclass(frozen=True)
class Rendered:
    """The printed page: its PDF and pictures, or why there is none."""

    pdf: bytes = b""
    pictures: tuple[str, ...] = ()
    pages: int = 0
    problem: str = ""
    status: int = 200


def rendered(study: Study, report: Report) -> Rendered:
    try:
        pdf = services().papers.signed_pdf(study, report, at=services().clock())
    except GlyphsMissing as missing:
        text = _(
            "These characters can't be printed with the fonts of this computer: %(characters)s.",
            characters=" ".join(missing.characters[:20]),
        )
        return Rendered(problem=text, status=422)
    except RenderersBusy:
        return Rendered(problem=_("Many pages are being printed. Please try again."), status=503)
    except RenderingFailed:
        return Rendered(problem=_("This page couldn't be made."), status=500)
    return Rendered(pdf, tuple(page_images.pages(pdf)), page_images.page_count(pdf))


def is_brought(report: Report | None) -> bool:
    return report is not None and report.source == Source.BROUGHT


def clock_time() -> str:
    """This moment as a clock shows it, in the clinic's time zone and the reader's form."""
    return i18n.clock_time(services().clock())
