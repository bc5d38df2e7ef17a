"""Settings: what refuses to start says so in a sentence, and no secret leaves through a log."""

from __future__ import annotations

import os
import re
from dataclasses import FrozenInstanceError, replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.config import Mode, Settings, SettingsError
from app.config_mail import Tls
from app.domain.grants import Kind, Policy

PASSWORD, GATE_PASSWORD = "service-secret-0123", "gate-secret-456789"
GOOD = {
    "STUDYKEY_BASE_URL": "https://portal.example.org",
    "STUDYKEY_CLINIC_NAME": "Test Clinic",
    "STUDYKEY_CLINIC_PHONE": "+1 555 0199",
    "STUDYKEY_ARCHIVE_MAIN_PUBLIC_URL": "https://images.example.org",
    "STUDYKEY_ARCHIVE_MAIN_PASSWORD": PASSWORD,
    "STUDYKEY_ARCHIVE_MAIN_GATE_PASSWORD": GATE_PASSWORD,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A good production environment, whatever the one is in which the tests run."""
    for name in list(os.environ):
        if name.startswith("STUDYKEY_"):
            monkeypatch.delenv(name)
    for name, value in {**GOOD, "STUDYKEY_INSTANCE": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


def test_production_is_what_one_gets_without_asking() -> None:
    settings = Settings.from_env()
    assert settings.is_production
    assert settings.is_https
    assert (settings.public_host, settings.internal_host) == ("127.0.0.1", "127.0.0.1")
    assert settings.trusted_hops == 0
    assert settings.policy is Policy.BIRTH_DATE
    assert settings.code_symbols == 11
    assert (settings.visit_idle, settings.visit_limit) == (timedelta(minutes=15), timedelta(minutes=60))
    assert settings.validity == timedelta(seconds=5)


SMTP = {"SMTP_HOST": "post.example.org", "SMTP_FROM": "images@example.org"}
REFUSALS = [
    ({**SMTP, "SMTP_FROM": ""}, r"STUDYKEY_SMTP_FROM has to be one address"),
    ({**SMTP, "SMTP_FROM": "a@example.org, b@example.org"}, r"STUDYKEY_SMTP_FROM has to be one address"),
    ({**SMTP, "SMTP_TLS": "none"}, r"STUDYKEY_SMTP_TLS none is for a mail server on this machine"),
    ({**SMTP, "SMTP_HOST": "10.0.0.5", "SMTP_TLS": "none"}, r"STUDYKEY_SMTP_TLS none is for"),
    ({**SMTP, "SMTP_TLS": "ssl"}, r"A setting can't be read"),
    ({**SMTP, "SMTP_PORT": "0"}, r"STUDYKEY_SMTP_PORT has to be 1 to 65535"),
    ({**SMTP, "SMTP_USERNAME": "studykey"}, r"SMTP_USERNAME and STUDYKEY_SMTP_PASSWORD go together"),
    ({"BASE_URL": ""}, r"STUDYKEY_BASE_URL is missing"),
    ({"BASE_URL": "http://portal.example.org"}, r"STUDYKEY_BASE_URL has to begin with https://"),
    ({"CLINIC_NAME": ""}, r"STUDYKEY_CLINIC_NAME and STUDYKEY_CLINIC_PHONE are missing"),
    ({"CLINIC_PHONE": ""}, r"STUDYKEY_CLINIC_NAME and STUDYKEY_CLINIC_PHONE are missing"),
    ({"ARCHIVE_MAIN_PASSWORD": ""}, r"STUDYKEY_ARCHIVE_MAIN_PASSWORD and .* need 16 characters or more"),
    ({"ARCHIVE_MAIN_PASSWORD": "x" * 15}, r"need 16 characters or more"),
    ({"ARCHIVE_MAIN_GATE_PASSWORD": "x" * 15}, r"need 16 characters or more"),
    ({"ARCHIVE_MAIN_PUBLIC_URL": "https://portal.example.org:8042"}, r"needs another host name"),
    ({"ARCHIVE_MAIN_PUBLIC_URL": "https://PORTAL.example.org/orthanc"}, r"needs another host name"),
    ({"ARCHIVE_MAIN_PUBLIC_URL": "http://images.example.org"}, r"PUBLIC_URL has to begin with https://"),
    ({"ARCHIVE_MAIN_VIEWER": "Stone"}, r"STUDYKEY_ARCHIVE_MAIN_VIEWER has to be one of: stone, ohif"),
    ({"CODE_SYMBOLS": "9"}, r"A code of 45 bits needs a password beside it .*, for: patient, guardian"),
    ({"CODE_SYMBOLS": "9", "POLICY": "code+password"}, None),
    (
        {"CODE_SYMBOLS": "9", "POLICY": "code+password", "POLICY_GUARDIAN": "code+birth-date"},
        r"A code of 45 bits needs a password beside it .*, for: guardian\.",
    ),
    ({"POLICY_PHYSICIAN": "code+birth-date"}, r"STUDYKEY_POLICY_PHYSICIAN has to ask for the password"),
    ({"POLICY_DELEGATE": "code+birth-date"}, r"STUDYKEY_POLICY_DELEGATE has to ask for the password"),
    ({"POLICY_DELEGATE": "code+birth-date+password"}, None),
    ({"VISIT_IDLE_MINUTES": "61"}, r"VISIT_IDLE_MINUTES can't be more than STUDYKEY_VISIT_LIMIT_MINUTES"),
    ({"VISIT_LIMIT_MINUTES": "1441"}, r"VISIT_LIMIT_MINUTES has to be 1440 or less"),
    ({"VALIDITY_SECONDS": "61"}, r"VALIDITY_SECONDS has to be 1 to 60"),
    ({"VALIDITY_SECONDS": "0"}, r"VALIDITY_SECONDS has to be 1 to 60"),
    ({"REPRINT_DAYS": "-1"}, r"REPRINT_DAYS has to be 0 or more"),
    ({"GRANT_DAYS": "99999999999"}, r"A setting can't be read"),
    ({"TRUSTED_HOPS": "-1"}, r"TRUSTED_HOPS has to be 0 or more"),
    ({"BASE_URL": "portal.example.org"}, r"STUDYKEY_BASE_URL has to begin with https://"),
    ({"BASE_URL": "ftp://portal.example.org"}, r"STUDYKEY_BASE_URL has to begin with https://"),
    ({"BASE_URL": "https://user@portal.example.org"}, r"BASE_URL has to be scheme, host and path alone"),
    ({"BASE_URL": "https://portal.example.org/?x=1"}, r"BASE_URL has to be scheme, host and path alone"),
    ({"BASE_URL": "https://portal.example.org:port"}, r"STUDYKEY_BASE_URL is no address"),
    ({"BASE_URL": "https://[::1"}, r"STUDYKEY_BASE_URL is no address"),
    ({"CODE_SYMBOLS": "7", "POLICY": "code+password"}, r"STUDYKEY_CODE_SYMBOLS has to be 8 to 16"),
    ({"CODE_SYMBOLS": "17"}, r"STUDYKEY_CODE_SYMBOLS has to be 8 to 16"),
    ({"GRANT_DAYS": "0"}, r"STUDYKEY_GRANT_DAYS has to be 1 or more"),
    ({"VISIT_IDLE_MINUTES": "-1"}, r"STUDYKEY_VISIT_IDLE_MINUTES has to be 1 or more"),
    ({"PUBLIC_PORT": "eighty"}, r"A setting can't be read: .*STUDYKEY_PUBLIC_PORT"),
    ({"POLICY": "none"}, r"A setting can't be read: .*STUDYKEY_POLICY"),
    ({"MODE": "prod"}, r"A setting can't be read: .*STUDYKEY_MODE"),
    ({"ARCHIVES": "main,../etc"}, r"The archive name '../etc' has to be letters"),
    ({"ARCHIVES": "main,main"}, r"Each archive needs a .*GATE_USERNAME of its own"),
    (
        {"ARCHIVE_MAIN_PASSWORD_FILE": "/nowhere/secret"},
        r"ARCHIVE_MAIN_PASSWORD_FILE must be a readable file",
    ),
]


@pytest.mark.parametrize(("changes", "sentence"), REFUSALS, ids=[" ".join(row[0]) for row in REFUSALS])
def test_production_does_not_start_and_says_why(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], sentence: str | None
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(f"STUDYKEY_{name}", value)
    if sentence is None:
        Settings.from_env()
        return
    with pytest.raises(SettingsError, match=sentence) as caught:
        Settings.from_env()
    message = str(caught.value)
    assert re.search(r"[^.]\.$", message)
    assert PASSWORD not in message
    assert GATE_PASSWORD not in message


PRIVATE_HOSTS = [
    ("localhost", True),
    ("127.0.0.1", True),
    ("10.1.2.3", True),
    ("172.31.255.1", True),
    ("192.168.0.7:8045", True),
    ("[fd12:3456::1]", True),
    ("[::1]:8045", True),
    ("portal.local", True),
    ("PORTAL.Clinic.LAN", True),
    ("portal.home.arpa", True),
    ("172.32.0.1", False),
    ("203.0.113.9", False),
    ("[2001:db8::1]", False),
    ("portal.example.org", False),
    ("portal", False),
    ("lan", False),
    ("portal.lan.example.org", False),
    ("10.0.0.1.example.org", False),
    ("127.0.0.1@portal.example.org", False),
]


@pytest.mark.parametrize(("host", "is_private"), PRIVATE_HOSTS, ids=[row[0] for row in PRIVATE_HOSTS])
@pytest.mark.parametrize("variable", ["BASE_URL", "ARCHIVE_MAIN_PUBLIC_URL"])
def test_plain_http_is_for_private_networks_and_has_to_be_allowed(
    monkeypatch: pytest.MonkeyPatch, host: str, is_private: bool, variable: str
) -> None:
    monkeypatch.setenv(f"STUDYKEY_{variable}", f"http://{host}")
    with pytest.raises(SettingsError, match=f"{variable} has to begin with https://"):
        Settings.from_env()
    monkeypatch.setenv("STUDYKEY_ALLOW_HTTP_ON_PRIVATE_NETWORK", "true")
    if is_private:
        assert Settings.from_env().allow_http_on_private_network
    else:
        with pytest.raises(SettingsError, match=f"{variable} is not on a private network"):
            Settings.from_env()


def test_each_kind_of_grant_has_a_policy() -> None:
    settings = Settings.from_env()
    assert {kind: settings.policy_for(kind) for kind in Kind} == {
        Kind.PATIENT: Policy.BIRTH_DATE,
        Kind.GUARDIAN: Policy.BIRTH_DATE,
        Kind.PHYSICIAN: Policy.PASSWORD,
        Kind.DELEGATE: Policy.PASSWORD,
        Kind.LINK: Policy.PASSWORD,
        Kind.GROUP: Policy.PASSWORD,
    }
    strict = settings.with_(policy=Policy.BIRTH_DATE_AND_PASSWORD)
    assert strict.policy_for(Kind.GUARDIAN) is Policy.BIRTH_DATE_AND_PASSWORD, "as patients, unless given"


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env()
    for name in ("BASE_URL", "CLINIC_NAME", "ARCHIVE_MAIN_PASSWORD", "PUBLIC_URL"):
        assert f"STUDYKEY_{name}" in str(caught.value) or f"MAIN_{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("symbols", "policy", "starts"),
    [
        (10, Policy.BIRTH_DATE, True),  # 50 bits
        (9, Policy.BIRTH_DATE, False),
        (9, Policy.BIRTH_DATE_AND_PASSWORD, True),
        (8, Policy.PASSWORD, True),
        (16, Policy.BIRTH_DATE, True),
    ],
)
def test_a_short_code_needs_a_password_beside_it(symbols: int, policy: Policy, starts: bool) -> None:
    for mode in Mode:  # not even the demo shows a weak one
        settings = Settings.from_env().with_(mode=mode)
        if starts:
            assert settings.with_(code_symbols=symbols, policy=policy).code_symbols == symbols
        else:
            with pytest.raises(SettingsError, match="bits"):
                settings.with_(code_symbols=symbols, policy=policy)


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.PRODUCTION])
def test_demo_and_tests_start_with_nothing_set(monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STUDYKEY_MODE", mode)
    assert Settings.from_env().mode is mode


def test_no_secret_is_in_what_a_log_may_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_DATABASE_URL", "postgresql+psycopg://studykey:secret-of-db@db/studykey")
    settings = Settings.from_env()
    assert "secret-of-db" in settings.database_url
    for shown in (repr(settings), str(settings), repr(settings.archives)):
        for secret in (PASSWORD, GATE_PASSWORD, "secret-of-db"):
            assert secret not in shown


def test_a_secret_can_stand_in_a_file_and_its_last_newline_is_no_part_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a-secret-from-a-file\n")
    monkeypatch.setenv("STUDYKEY_ARCHIVE_MAIN_PASSWORD_FILE", str(secret))
    assert Settings.from_env().archive("main").password == "a-secret-from-a-file"


def test_a_short_secret_in_a_file_is_not_made_longer_by_its_newline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 15 + "\n")
    monkeypatch.setenv("STUDYKEY_ARCHIVE_MAIN_PASSWORD_FILE", str(secret))
    with pytest.raises(SettingsError, match="16 characters"):
        Settings.from_env()


def test_the_keys_file_is_a_path_and_not_a_file_with_a_path_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings.from_env().keys_file == tmp_path / "keys.json"
    monkeypatch.setenv("STUDYKEY_KEYS_FILE", "/etc/studykey/keys.json")
    assert Settings.from_env().keys_file == Path("/etc/studykey/keys.json")


def test_several_archives_have_settings_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_ARCHIVES", "main, annex")
    monkeypatch.setenv("STUDYKEY_ARCHIVE_ANNEX_URL", "http://10.0.0.9:8042/orthanc")
    monkeypatch.setenv("STUDYKEY_ARCHIVE_ANNEX_PUBLIC_URL", "https://annex.example.org:8443/o")
    monkeypatch.setenv("STUDYKEY_ARCHIVE_ANNEX_PASSWORD", PASSWORD)
    monkeypatch.setenv("STUDYKEY_ARCHIVE_ANNEX_GATE_PASSWORD", GATE_PASSWORD)
    annex = Settings.from_env().archive("annex")
    assert annex.url == "http://10.0.0.9:8042/orthanc/"
    assert annex.public_url == "https://annex.example.org:8443/o/"
    assert annex.public_origin == "https://annex.example.org:8443"
    assert annex.gate_username == "annex"
    with pytest.raises(KeyError):
        Settings.from_env().archive("gone")


def test_settings_never_change_while_studykey_runs_and_copies_are_checked_again() -> None:
    settings = Settings.from_env()
    with pytest.raises(FrozenInstanceError):
        settings.base_url = "http://elsewhere"  # type: ignore[misc]
    with pytest.raises(SettingsError, match="https"):
        settings.with_(base_url="http://elsewhere")
    with pytest.raises(SettingsError, match="16 characters"):
        settings.with_(archives=(replace(settings.archives[0], password="short"),))


def test_the_printed_address_never_ends_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDYKEY_BASE_URL", "https://portal.example.org/")
    assert Settings.from_env().base_url == "https://portal.example.org"


def test_without_a_mail_server_nothing_is_mailed() -> None:
    assert Settings.from_env().mail is None


@pytest.mark.parametrize(
    ("wanted", "port", "tls"),
    [
        ({}, 587, Tls.STARTTLS),
        ({"SMTP_TLS": "tls"}, 465, Tls.TLS),
        ({"SMTP_TLS": "tls", "SMTP_PORT": "2465"}, 2465, Tls.TLS),
        ({"SMTP_TLS": "none", "SMTP_HOST": "localhost"}, 25, Tls.NONE),
        ({"SMTP_TLS": "none", "SMTP_HOST": "127.0.0.1"}, 25, Tls.NONE),
        ({"SMTP_TLS": "none", "SMTP_HOST": "::1"}, 25, Tls.NONE),
    ],
)
def test_mail_goes_over_tls_unless_the_server_is_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], port: int, tls: Tls
) -> None:
    for name, value in (SMTP | wanted).items():
        monkeypatch.setenv(f"STUDYKEY_{name}", value)

    mail = Settings.from_env().mail

    assert mail is not None and (mail.port, mail.tls, mail.sender) == (port, tls, "images@example.org")


def test_the_mail_servers_password_can_stand_in_a_file_and_in_no_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "smtp").write_text("post-secret-0123\n")
    for name, value in (SMTP | {"SMTP_USERNAME": "studykey"}).items():
        monkeypatch.setenv(f"STUDYKEY_{name}", value)
    monkeypatch.setenv("STUDYKEY_SMTP_PASSWORD_FILE", str(tmp_path / "smtp"))

    settings = Settings.from_env()

    assert settings.mail is not None and settings.mail.password == "post-secret-0123"
    assert "post-secret" not in repr(settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "studykey.internal"])
@pytest.mark.parametrize("mode", ["production", "demo", "dev", "test"])
def test_an_internal_door_for_other_machines_is_refused_without_a_password(
    monkeypatch: pytest.MonkeyPatch, host: str, mode: str
) -> None:
    monkeypatch.setenv("STUDYKEY_MODE", mode)
    monkeypatch.setenv("STUDYKEY_INTERNAL_HOST", host)
    assert Settings.from_env().internal_host == host  # with one it may
    for weak in ("", "x" * 15):
        monkeypatch.setenv("STUDYKEY_ARCHIVE_MAIN_GATE_PASSWORD", weak)
        with pytest.raises(SettingsError, match="_MAIN_GATE_PASSWORD need"):
            Settings.from_env()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_alone_may_do_without_in_development(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("STUDYKEY_MODE", "dev")
    monkeypatch.setenv("STUDYKEY_INTERNAL_HOST", host)
    monkeypatch.setenv("STUDYKEY_ARCHIVE_MAIN_GATE_PASSWORD", "")
    assert Settings.from_env().internal_host == host
