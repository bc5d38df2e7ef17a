"""Every page that a patient can meet, in every state it has: brought about behind the scenes, shown in a real browser.

``walk`` goes from one to the next and names each once it is on the screen; whoever walks along looks at it there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from PIL import Image
from playwright.sync_api import Page

from app.adapters.hash_slots import Busy
from app.domain.permissions import PATIENT
from app.domain.tag_match import How
from app.models import Grant, Study
from app.services.grants import Paper
from app.services.reports import Text
from app.services.tag_keys import Wanted
from app.wiring import EXTENSION, Services
from tests.support.clock import Clock
from tests.support.factories import BORN, UNKNOWN_CODE, change_grant, paper_of, second_study, study_in
from tests.support.fake_orthanc import FakeOrthanc
from tests.support.portal import Portal, public_services
from tests.support.signed import radiologist
from tests.web.test_waiting import Refusing

# What a form is sent with past its script, as by a browser without one. A list ticks nothing of that name.
_SEND = """([form, fields]) => {
  for (const [name, value] of Object.entries(fields)) {
    for (const one of form.querySelectorAll(`[name="${name}"]`)) one.remove();
    if (value !== null) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  HTMLFormElement.prototype.submit.call(form);
}"""


def picture() -> bytes:
    """Something grey."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((400, 400)).save(out, "JPEG")
    return out.getvalue()


class Walk:
    def __init__(self, page: Page, portal: Portal, clock: Clock, *, language: str) -> None:
        self.page, self.portal, self.clock, self.language = page, portal, clock, language
        fake = portal.services.orthancs["main"]
        assert isinstance(fake, FakeOrthanc)
        shown = picture()
        fake.rendered = lambda *_, **__: ("image/jpeg", shown)  # type: ignore[method-assign]
        self.archive = fake
        self.here = f"/study/{portal.study_id}"

    def go(self, path: str) -> None:
        self.page.goto(self.portal.base + path)

    def send(self, selector: str, **fields: str | None) -> None:
        with self.page.expect_navigation():
            self.page.locator(selector).first.evaluate(f"(form, fields) => ({_SEND})([form, fields])", fields)

    def prove(self, paper: Paper | None = None, *, go: str = "study", **typed: str | None) -> None:
        born = {"day": str(BORN.day), "month": str(BORN.month), "year": str(BORN.year)}
        code = (paper or self.portal.paper).code.grouped
        self.go(f"/?another&lang={self.language}")
        self.send("form.open", **{"code": code, **born, "go": go, **typed})

    def set_rules(self, **changes: str) -> None:
        self.portal.services.session.rollback()
        self.portal.services.rules.set(changes, at=self.clock(), actor="test")
        self.portal.services.session.commit()

    def services(self) -> Services:
        self.portal.services.session.rollback()
        return self.portal.services

    def all_pages(self) -> Iterator[str]:
        yield from self._before_the_proof()
        yield from self._refusals()
        yield from self._study()
        yield from self._report_and_images()
        yield from self._control()
        yield from self._several()
        yield from self._ends()

    def _before_the_proof(self) -> Iterator[str]:
        self.go(f"/?lang={self.language}")
        yield "landing: empty"
        for summary in self.page.locator("summary").all():
            summary.evaluate("one => { one.parentElement.open = true }")
        yield "landing: everything open"
        self.send(
            "form.open",
            code="K7QD-9M3X-4T8N",
            day="31",
            month="2",
            year="1958",
            password="12",
            with_password="1",
        )
        yield "landing: typing errors"
        self.prove(code=UNKNOWN_CODE.grouped)
        yield "landing: not recognised"
        self.go("/?another")
        self.send("form.open", csrf_token="old", code=self.portal.paper.code.grouped)
        yield "landing: an old page"
        kept = self.portal.app.extensions[EXTENSION]
        for name, seconds in (("seconds", 90), ("minutes", 1200)):
            refusing = Refusing(Busy(timedelta(seconds=seconds)))
            self.portal.app.extensions[EXTENSION] = replace(public_services(self.portal.app), proof=refusing)
            self.prove()
            yield f"landing: wait for {name}"
        self.portal.app.extensions[EXTENSION] = kept
        services = self.services()
        nameless = paper_of(services, study_in(services, birth_date_text="", patient_name=""))
        services.session.commit()
        self.go(f"/?another#{nameless.code.symbols}!p")
        yield "landing: no birth date, a password"
        self.prove(nameless, day="", month="", year="", with_password="1", password=nameless.password.grouped)
        yield "study: a patient without name"
        self.go("/verify")
        yield "verify"
        self.go("/not-there")
        yield "not there"

    def _refusals(self) -> Iterator[str]:
        grant = self.portal.paper.grant
        soon, past = self.clock() + timedelta(days=1), self.clock() - timedelta(days=1)
        refusals = {
            "expired": ("expires_at", past),
            "revoked": ("revoked_at", past),
            "suspended": ("suspended_at", past),
            "not open yet": ("released_at", soon),
        }
        for name, (column, moment) in refusals.items():
            before = getattr(grant, column)
            change_grant(self.services(), grant, **{column: moment})
            self.prove()
            yield f"landing: {name}"
            change_grant(self.services(), grant, **{column: before})

    def _study(self) -> Iterator[str]:
        self.prove()
        yield "study: no report yet"
        self.set_rules(release_images="at-once+2d", release_report="at-signing+1d")
        self.go(self.here)
        yield "study: released later"
        self.set_rules(release_images="at-once", release_report="at-signing")
        for name, attribute in (("unreachable", "is_unreachable"), ("unsafe", "is_open")):
            setattr(self.archive, attribute, True)
            self._probe()
            self.go(self.here)
            yield f"study: {name}"
            setattr(self.archive, attribute, False)
            self._probe()
        grant = self.portal.paper.grant
        for name, allowed in (("images only", "view"), ("report only", "report")):
            before = grant.permissions
            change_grant(self.services(), grant, permissions=allowed)
            self.go(self.here)
            yield f"study: {name}"
            change_grant(self.services(), grant, permissions=before)

    def _probe(self) -> None:
        """The archive is looked at now, as its follower does."""
        self.services().archives.probe("main", at=self.clock())
        self.services().session.commit()

    def _report_and_images(self) -> Iterator[str]:
        services = self.services()
        study = services.session.get_one(Study, self.portal.study_id)
        anna = radiologist(services)
        services.session.commit()
        text = Text(
            findings="Both lungs are **clear**.\n\n- no fluid\n- no mass", impression="No sign of pneumonia."
        )
        report = services.reports.as_signed(study, text, by=anna, at=self.clock())
        pdf = services.papers.signed_pdf(study, report, at=self.clock())
        services.reports.sign(study, text, revision=0, by=anna, at=self.clock(), pdf=pdf)
        services.session.commit()
        for name, path in (
            ("study", ""),
            ("report", "/report"),
            ("download", "/download"),
            ("look", "/look"),
        ):
            self.go(self.here + path)
            yield name

    def _let_in_by_a_rule(self) -> None:
        services = self.portal.services
        services.session.rollback()
        services.tag_rules.make(
            "Dr Anna Haus-Hernández, Barmherzige Brüder",
            Wanted("ReferringPhysicianName", How.NAME, ("Haus^Anna",)),
            permissions=PATIENT,
            at=self.portal.now,
            actor="staff:ada",
        )
        services.session.commit()
        while services.tag_matching.work(at=self.portal.now):
            pass

    def _control(self) -> Iterator[str]:
        for name in ("share", "openings", "stop"):
            self.go(f"{self.here}/{name}")
            yield name
        self._let_in_by_a_rule()
        self.go(f"{self.here}/openings")
        yield "openings: a rule"
        self.go(f"{self.here}/share")
        self.send("form.open", label="", view=None, report=None)
        yield "share: errors"
        self.send("form.open", label="Dr Ludwig Moreno-Hernández, Barmherzige Brüder", view="1", days="7")
        yield "share: the code"
        self.go(f"{self.here}/share")
        yield "share: somebody has one"
        self.page.locator(f'a[href*="{self.here}/share/"]').first.click()
        yield "take back"
        self.go(f"{self.here}/stop")
        yield "stop: somebody has one"
        self.send(f'form[action="{self.here}/stop"]', own="keep")
        yield "stopped"
        self.go("/?another=add")
        yield "landing: add another sheet"

    def _several(self) -> Iterator[str]:
        services = self.services()
        second_study(
            services, services.session.get_one(Grant, self.portal.paper.grant.id), modalities=("MR",)
        )
        self.go("/studies")
        yield "studies"

    def _ends(self) -> Iterator[str]:
        self.prove()
        self.page.locator("[data-visit]").evaluate("veil => { veil.hidden = false }")
        yield "study: are you still there?"
        self.clock.forward(minutes=16)
        self.go(self.here)
        yield "closed: idle"
        self.go("/closed")
        yield "closed"
        self.prove()
        self.go(f"{self.here}/stop")
        self.send(f'form[action="{self.here}/stop"]', own="close")
        yield "stopped: the own code too"
        self.go(f"/done?lang={self.language}")
        yield "done"
