"""Which websites may call: one table, for the doors here and for the gate in tests/orthanc_plugin/test_accounts.py."""

from __future__ import annotations

import pytest

from app.domain import origins
from app.domain.origins import Origins

ALLOWED = [
    "https://*.example.org",
    "http://viewer.clinic.lan:8080",
    "http://[::1]:8042",
    "https://xn--bcher-kva.example",
]
OWN = "https://portal.clinic.example"

PASS = [
    "https://a.example.org",
    "https://a.b.example.org",  # a star is one or more labels
    "https://xn--nxasmq6b.example.org",
    "https://a_b.example.org",
    "http://viewer.clinic.lan:8080",
    "http://[::1]:8042",
    "https://xn--bcher-kva.example",
]
REFUSED = [
    "",
    "null",
    "*",
    "https://example.org",  # the star is at least one label
    "https://.example.org",
    "https://badexample.org",
    "https://a.badexample.org",
    "https://a-example.org",
    "https://a.example.org.",
    "https://a.example.org.attacker.example",
    "https://a.example.orgx",
    "https://attacker.example/a.example.org",
    "https://attacker.example#.example.org",
    "https://attacker.example?.example.org",
    "https://attacker.example\\.example.org",
    "https://attacker.example%2f.example.org",
    "https://attacker.example@a.example.org",
    "https://a:b@a.example.org",
    "https://a..example.org",
    "https://-a.example.org",
    "https://*.example.org",
    "https://A.example.org",
    "HTTPS://a.example.org",
    "https://a.example.org/",
    "https://a.example.org:443",
    "https://a.example.org:8443",
    "http://a.example.org",
    "https:a.example.org",
    "https://a.example.org https://attacker.example",
    "https://a.example.org,https://attacker.example",
    "https://a.example.org\n",
    " https://a.example.org",
    "https://bücher.example",
    "https://аpple.example.org",  # noqa: RUF001 - a Cyrillic letter
    "https://a" * 3000 + ".example.org",
    "http://viewer.clinic.lan",
    "http://viewer.clinic.lan:80801",
    "http://viewer.clinic.lan:08080",
    "http://x.viewer.clinic.lan:8080",
    "http://viewerxclinic.lan:8080",
    "http://[::1]",
    "http://[::1%25eth0]:8042",
    "http://[0:0:0:0:0:0:0:1]:8042",
    "http://127.0.0.1:8042",
    "file://",
    "chrome-extension://abcdefghijklmnop",
]


@pytest.mark.parametrize("origin", [*PASS, OWN])
def test_allowed_websites_and_our_own_pass(origin: str) -> None:
    assert not Origins(ALLOWED, own=OWN).refuses(origin)


@pytest.mark.parametrize("origin", REFUSED)
def test_any_other_website_is_refused(origin: str) -> None:
    assert Origins(ALLOWED, own=OWN).refuses(origin)
    assert Origins([]).refuses(origin)


def test_what_no_browser_sends_for_a_website_passes() -> None:
    assert not Origins([]).refuses(None)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("https://*.example.org", "https://*.example.org"),
        (" HTTPS://*.Example.ORG ", "https://*.example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("http://example.org:443", "http://example.org:443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://*.bücher.example", "https://*.xn--bcher-kva.example"),
        ("http://[0:0::1]:8042", "http://[::1]:8042"),
        ("http://[2001:DB8::A]", "http://[2001:db8::a]"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://192.168.1.5:8042", "http://192.168.1.5:8042"),
    ],
)
def test_a_pattern_is_written_as_browsers_write_origins(written: str, means: str) -> None:
    assert origins.pattern(written) == means


@pytest.mark.parametrize(
    "written",
    [
        "", "*", "https://", "https://*", "https://*.org", "https://*example.org", "https://a.*.org",
        "https://*.*.example.org", "https://a*.example.org", "https://example.org/", "https://example.org/path",
        "https://user@example.org", "https://example.org:0", "https://example.org:99999", "https://example.org:",
        "https://example..org", "https://example.org.", "ftp://example.org", "null", "example.org",
        "*://example.org", "https://*.1.2.3", "https://*.[::1]", "http://[::1", "http://[::g]", "https://a b.org",
    ],
)  # fmt: skip
def test_a_pattern_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(ValueError):
        origins.pattern(written)


def test_the_origin_of_an_address() -> None:
    assert origins.of("https://Portal.clinic.example:443/path/") == OWN
    assert origins.of("http://127.0.0.1:8045") == "http://127.0.0.1:8045"
    assert origins.of("") == ""
