from __future__ import annotations

import pytest

from app.domain import mail_address


@pytest.mark.parametrize(
    "typed",
    ["doctor@example.org", " d.o'neill+images@mail.clinic-1.example ", "a@b.co", "x" * 64 + "@example.org"],
)
def test_a_mail_address_is_taken_as_it_is(typed: str) -> None:
    assert mail_address.read(typed) == typed.strip()


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "doctor",
        "doctor@localhost",
        "doctor@10.0.0.1",
        "doctor@[10.0.0.1]",
        "doctor@example.org, other@example.org",
        "doctor@example.org other@example.org",
        "doctor@example.org\nBcc: other@example.org",
        "doctor@example.org\r\n",
        "Doctor <doctor@example.org>",
        '"a b"@example.org',
        ".doctor@example.org",
        "doc..tor@example.org",
        "doctor@-example.org",
        "doctor@example..org",
        "doctor@exämple.org",
        "döctor@example.org",
        "a" * 65 + "@example.org",
        "a@" + "b" * 64 + ".org",
        "a@" + "b." * 130 + "org",
    ],
)
def test_what_is_no_single_plain_address_is_refused(typed: str) -> None:
    found = mail_address.read(typed)

    assert found is None or (found == typed.strip() and "\n" not in found)


def test_a_masked_address_is_recognised_and_can_not_be_written_to() -> None:
    assert mail_address.masked("doctor@example.org") == "d•••@example.org"
    assert mail_address.read(mail_address.masked("doctor@example.org")) is None
