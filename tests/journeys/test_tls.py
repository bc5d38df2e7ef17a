"""Over real TLS, as in a clinic: a proxy with a certificate before the portal and before the viewer.

The form has to work in a real browser with every header in force; the headers have to stand on every route and
every error of the real server; a name or an address that a request claims is not believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app import create_public_app
from app.demo import ohif, studies
from app.domain.staff import Role
from app.models import AuditEvent
from app.services.grants import Paper
from tests.support.browser import DESKTOP, PHONE, wait_for_sign, window
from tests.support.clinic import Clinic, free_port
from tests.support.databases import Databases
from tests.support.portal import TOKEN
from tests.support.tls import tls_before

STUDY = studies.study(patient_id="DEMO-T1", patient_name="Rossi^Carla", label="tls", slices=8, size=256)
BORN = {"day": "12", "month": "4", "year": "1961"}
LOGIN, PASSWORD = "radiologist", "correct horse battery"
EVIL = "evil.example"
EVERYTHING_SHOWN = "document.body.innerText + [...document.querySelectorAll('input')].map(i => i.value)"
FROM_CACHE = "url => fetch(url, {cache: 'only-if-cached', mode: 'same-origin'}).then(a => a.ok, () => false)"


@dataclass(frozen=True)
class SecureClinic:
    """``portal`` and ``viewer``: https addresses, on two host names. ``trust``: their certificate."""

    clinic: Clinic
    portal: str
    viewer: str
    trust: str
    paper: Paper


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[SecureClinic]:
    folder = tmp_path_factory.mktemp("secure")
    at_portal, at_viewer = free_port(), free_port()
    portal, viewer = f"https://localhost:{at_portal}", f"https://127.0.0.1:{at_viewer}"
    with ExitStack() as stack:
        clinic = Clinic(
            folder,
            stack.enter_context(databases.fresh()),
            ohif_folder=ohif.prepare(ohif.FOLDER, progress=print),
            STUDYKEY_BASE_URL=portal,
            STUDYKEY_ARCHIVE_MAIN_PUBLIC_URL=viewer,
            STUDYKEY_TRUSTED_HOPS="1",
        )
        stack.callback(clinic.close)
        clinic.orthanc.start()
        clinic.start_studykey()
        with clinic.services() as services:
            services.staff.add(
                login=LOGIN,
                name="",
                roles=[Role.RADIOLOGIST],
                password=PASSWORD,
                at=services.clock(),
                actor="test",
            )
        paper = clinic.receive(STUDY)
        for at, behind in (
            (at_portal, clinic.settings.public_port),
            (at_viewer, int(clinic.orthanc.url.rpartition(":")[2].strip("/"))),
        ):
            stack.enter_context(tls_before(behind, at=at, folder=folder))
        yield SecureClinic(clinic, portal, viewer, str(folder / "tls.pem"), paper)


class Person:
    """A browser of few words over TLS: cookies, forms, referrer."""

    def __init__(self, secure: SecureClinic) -> None:
        self.secure = secure
        self.http = requests.Session()
        self.http.trust_env = False  # an environment that names other certificates is not asked
        self.http.verify = secure.trust
        self._csrf = ""

    def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **fields: str
    ) -> requests.Response:
        if method == "POST":
            fields = {"csrf_token": self._csrf or self._fresh_csrf(), **fields}
        answer = self.http.request(
            method,
            f"{self.secure.portal}{path}",
            data=fields or None,
            headers={"Referer": f"{self.secure.portal}/", **(headers or {})},
            allow_redirects=False,
            timeout=30,
        )
        if "Set-Cookie" in answer.headers:
            self._csrf = ""  # another session has another token
        return answer

    def _fresh_csrf(self) -> str:
        found = TOKEN.search(self.http.get(f"{self.secure.portal}/?another", timeout=10).text)
        assert found is not None
        self._csrf = found[1]
        return self._csrf

    def prove(self, *, headers: dict[str, str] | None = None, **typed: str) -> requests.Response:
        form = {"code": self.secure.paper.code.grouped, **BORN, "go": "images", **typed}
        return self.ask("POST", "/", headers=headers, **form)

    def sign_in(self) -> requests.Response:
        return self.ask("POST", "/staff/sign-in", login=LOGIN, password=PASSWORD)


@pytest.fixture
def person(secure: SecureClinic) -> Person:
    return Person(secure)


def type_proof(page: Page, secure: SecureClinic) -> None:
    page.goto(f"{secure.portal}/#{secure.paper.code.symbols}")
    for label, value in zip(("Day", "Month", "Year"), BORN.values(), strict=True):
        page.get_by_label(label).fill(value)


def test_over_tls_the_form_leads_to_the_images_and_no_cookie_reaches_the_viewer(
    browser: Browser, secure: SecureClinic
) -> None:
    with window(browser, DESKTOP, ignore_https_errors=True) as page:
        sent_to_viewer = []
        page.on("request", lambda r: sent_to_viewer.append(r) if r.url.startswith(secure.viewer) else None)
        type_proof(page, secure)
        page.get_by_role("button", name="See the images").click()
        page.wait_for_url(f"{secure.viewer}/ohif/viewer**")
        wait_for_sign(page.locator("canvas.cornerstone-canvas").first)

        cookies = page.context.cookies(secure.portal)  # the viewer has one of its own
        assert {cookie["name"] for cookie in cookies} == {"__Host-studykey", "__Host-studykey_visit"}
        for cookie in cookies:
            assert cookie["secure"] and cookie["httpOnly"]
            assert (cookie["sameSite"], cookie["domain"], cookie["path"]) == ("Lax", "localhost", "/")
        assert sent_to_viewer
        for request in sent_to_viewer:
            headers = request.all_headers()
            assert "studykey" not in headers.get("cookie", "")
            assert secure.paper.code.symbols not in str(headers)

        page.goto(f"{secure.portal}/")
        expect(page.get_by_role("heading", level=1)).to_contain_text("CT scan of the chest")


def test_back_after_signing_out_shows_nothing(browser: Browser, secure: SecureClinic) -> None:
    with window(browser, PHONE, ignore_https_errors=True) as page:
        type_proof(page, secure)
        page.get_by_role("button", name="Report and more").click()
        expect(page.get_by_text("Carla Rossi")).to_be_visible()
        page.get_by_role("link", name="Light look").click()
        wait_for_sign(page.locator("[data-stage] img"))
        picture = page.locator("[data-stage] img").evaluate("image => image.currentSrc")
        page.get_by_role("button", name="I'm done").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("closed")

        assert not [cookie for cookie in page.context.cookies() if "visit" in cookie["name"]]
        for _ in range(3):
            page.go_back()
            shown = page.evaluate(EVERYTHING_SHOWN)
            for what in (
                "Rossi",
                "CT scan of the chest",
                "1961",
                secure.paper.code.grouped,
                secure.paper.code.symbols,
            ):
                assert what not in shown
            expect(page.locator("[data-stage]")).to_have_count(0)
        # Neither from the server nor from the browser's cache.
        answer = page.request.get(picture)
        assert answer.status == 403
        page.goto(f"{secure.portal}/")
        assert not page.evaluate(FROM_CACHE, picture)


def test_staff_sign_in_over_tls_and_back_shows_no_patient_after_signing_out(
    browser: Browser, secure: SecureClinic
) -> None:
    with window(browser, DESKTOP, ignore_https_errors=True) as page:
        page.goto(f"{secure.portal}/staff/")
        page.get_by_label("Login").fill(LOGIN)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="Carla Rossi")).to_be_visible()
        page.get_by_role("link", name="Carla Rossi").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Login")).to_be_visible()

        for _ in range(2):
            page.go_back()
            expect(page.get_by_text("Carla Rossi")).to_have_count(0)


CACHEABLE = {"static", "patient.brand_css", "patient.logo"}
EVERYWHERE = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}


def check_headers(answer: requests.Response, secure: SecureClinic, *, may_be_cached: bool) -> None:
    headers, what = answer.headers, f"{answer.request.method} {answer.url}: {answer.status_code}"
    for name, value in EVERYWHERE.items():
        assert headers.get(name) == value, (what, name)
    seconds = re.fullmatch(r"max-age=(\d+)", headers.get("Strict-Transport-Security", ""))
    assert seconds and int(seconds[1]) >= 31_536_000, what
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": f"'self' {secure.viewer}",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }, what
    if not may_be_cached:
        assert headers.get("Cache-Control") == "no-store", what
    for cookie in answer.raw.headers.getlist("Set-Cookie"):
        name, _, rest = cookie.partition("=")
        parts = {part.strip() for part in rest.split(";")}
        assert name.startswith("__Host-"), cookie
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= parts, cookie
        assert "Domain=" not in cookie
    assert not {"Server", "X-Powered-By"} & set(headers) or "Python" not in headers.get("Server", "")


def test_every_route_and_every_error_has_its_headers_over_tls(secure: SecureClinic) -> None:
    """Each rule of the public door: as a stranger by each method, as a holder and as staff by those that do more for
    them than for a stranger."""
    app = create_public_app(secure.clinic.settings)
    holder, staff = Person(secure), Person(secure)
    location = holder.prove(go="study").headers["Location"]
    study_id = location.rpartition("/")[2]
    assert study_id.isdigit(), location
    assert staff.sign_in().status_code == 303
    values = {"study_id": study_id, "series": 1, "number": 1, "filename": "style.css"}
    adapter = app.url_map.bind("localhost")
    met = set()
    stranger = Person(secure)
    for who in (stranger, holder, staff):
        for rule in app.url_map.iter_rules():
            if rule.endpoint in ("patient.leave", "staff_sessions.sign_out"):
                continue  # last of all, below
            arguments = {name: values.get(name, 1) for name in rule.arguments}
            methods = rule.methods or set()
            for method in sorted(
                methods | {"PUT", "DELETE"} if who is stranger else methods & {"GET", "POST"}
            ):
                known = method if method in methods else None
                path = adapter.build(rule.endpoint, arguments, method=known) if known else rule.rule
                answer = who.ask(method, re.sub(r"<[^>]+>", "1", path))
                met.add(answer.status_code)
                is_public = rule.endpoint in CACHEABLE and answer.status_code < 400
                check_headers(answer, secure, may_be_cached=is_public)
    for path in ("/nowhere", "/%00", "/static/nothing.css", "/study/999999999999", "/%2e%2e/etc/passwd"):
        answer = holder.ask("GET", path)
        met.add(answer.status_code)
        check_headers(answer, secure, may_be_cached=False)
    for answer in (
        holder.ask("POST", "/", code="K" * 70_000),
        holder.prove(year="1962"),
        holder.prove(code="K7QD"),
        holder.http.post(f"{secure.portal}/done", allow_redirects=False, timeout=10),
        holder.ask("POST", "/done"),
        staff.ask("POST", "/staff/sign-out"),
    ):
        met.add(answer.status_code)
        check_headers(answer, secure, may_be_cached=False)

    assert met >= {200, 303, 400, 403, 404, 405, 413, 422}, sorted(met)


def test_signing_out_has_the_browser_forget(person: Person) -> None:
    person.prove()
    answer = person.ask("POST", "/done")

    assert answer.status_code == 303
    assert {'"cache"', '"cookies"', '"storage"'} <= set(answer.headers["Clear-Site-Data"].split(", "))


@pytest.mark.parametrize(
    "claimed",
    [
        {"Host": EVIL},
        {"Host": "a" * 300},
        {"Host": f"localhost@{EVIL}"},
        {"X-Forwarded-Host": EVIL},
        {"X-Forwarded-Proto": "http", "X-Forwarded-Prefix": f"//{EVIL}"},
        {"Forwarded": f"host={EVIL};proto=http"},
        {"X-Original-URL": "/staff/", "X-Rewrite-URL": "/staff/", "X-HTTP-Method-Override": "DELETE"},
    ],
    ids=str,
)
def test_a_name_that_a_request_claims_gets_nowhere(person: Person, claimed: dict[str, str]) -> None:
    for answer in (
        person.ask("GET", "/", headers=claimed),
        person.ask("GET", "/staff", headers=claimed),
        person.ask("GET", "/staff/", headers=claimed),
        person.ask("GET", "//evil.example/%2e%2e", headers=claimed),
        person.ask("GET", "/nowhere", headers=claimed),
    ):
        assert answer.status_code in (200, 303, 404)
        assert EVIL not in answer.text.replace("//evil.example/%2e%2e", "")
        assert EVIL not in str(answer.headers)
        assert not answer.headers.get("Location", "/").startswith("//")
    answer = person.prove(headers=claimed)
    if "Host" in claimed:  # no cookie is sent there, so the form isn't believed either
        assert answer.status_code == 400
    else:
        assert answer.headers["Location"].startswith(person.secure.viewer)


@pytest.mark.parametrize("referrer", [f"https://{EVIL}/", "http://localhost/", "", "null"])
def test_a_form_sent_from_elsewhere_opens_nothing(person: Person, referrer: str) -> None:
    answer = person.prove(headers={"Referer": referrer})

    assert answer.status_code == 400
    assert "__Host-studykey_visit" not in answer.headers.get("Set-Cookie", "")


def test_the_address_on_record_is_the_proxys_word_and_not_the_visitors(person: Person) -> None:
    person.prove(headers={"X-Forwarded-For": "203.0.113.99"})

    with person.secure.clinic.services() as services:
        newest = select(AuditEvent).where(AuditEvent.event == "visit:begun").order_by(AuditEvent.id.desc())
        row = services.session.scalars(newest.limit(1)).one()
        assert row.address == "127.0.0.1"


def test_the_log_of_the_real_server_holds_no_secret(person: Person) -> None:
    token = person.prove().headers["Location"].rpartition("token=")[2].partition("&")[0]
    key = person.http.cookies["__Host-studykey_visit"]
    person.prove(year="1962")
    person.ask("GET", f"/{person.secure.paper.code.symbols}?code={person.secure.paper.code.symbols}")
    person.prove(code="\x00" + person.secure.paper.code.grouped, password="\x00")
    person.sign_in()

    told = person.secure.clinic.log.read_text()
    paper = person.secure.paper
    for secret in (
        *(paper.code.symbols, paper.code.grouped, paper.password.digits, paper.password.grouped),
        *("19610412", "1961-04-12", token, key, PASSWORD),
    ):
        assert len(secret) > 7 and secret not in told
