"""Hashes, seals and signatures: bound to their grant and purpose, alive through a rotation of the keys."""

from __future__ import annotations

import re
import secrets
import threading
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters import keys
from app.adapters.crypto import Crypto
from app.adapters.hash_slots import Busy, HashSlots
from app.adapters.keys import Key, Keyring
from app.domain import access_code, password
from app.domain.access_code import AccessCode
from app.domain.password import Password

CODE, OTHER_CODE = AccessCode("K7QD9M3X4TBN"), AccessCode("ABCDEFGHJKM7")
WORDS, OTHER_WORDS = Password("4829173065"), Password("4829173066")
BORN = date(1958, 3, 27)

RING = keys.generate()


def crypto_with(ring: Keyring) -> Crypto:
    return Crypto(ring, HashSlots(2))


def rotated(ring: Keyring, *, keep: int = 2) -> Keyring:
    """The ring with a fresh newest key for every purpose and the ``keep`` newest of all."""
    fresh = keys.generate().keys
    return replace(
        ring, keys={purpose: (ring.keys[purpose] + fresh[purpose])[-keep:] for purpose in ring.keys}
    )


CRYPTO = crypto_with(RING)
AFTER = crypto_with(rotated(RING))
RETIRED = crypto_with(rotated(RING, keep=1))
STRANGER = crypto_with(keys.generate())


# What a rotation of the keys must not break: paper, passwords, seals and visits from before it.


def test_a_sheet_from_before_a_rotation_is_still_found() -> None:
    stored = CRYPTO.code_indexes(CODE)
    assert list(stored) == [CRYPTO.pepper_kid]
    found = AFTER.code_indexes(CODE)
    assert len(found) == 2
    assert found[CRYPTO.pepper_kid] == stored[CRYPTO.pepper_kid]
    assert AFTER.pepper_kid != CRYPTO.pepper_kid
    assert found[AFTER.pepper_kid] != stored[CRYPTO.pepper_kid]


def test_a_password_and_a_birth_date_from_before_a_rotation_are_still_right() -> None:
    kid = CRYPTO.pepper_kid
    assert AFTER.verify_password(kid, CRYPTO.hash_password(WORDS), WORDS)
    assert AFTER.birth_date_mac(kid, "g1", BORN) == CRYPTO.birth_date_mac(kid, "g1", BORN)


def test_a_seal_and_a_token_from_before_a_rotation_still_open() -> None:
    kid, sealed = CRYPTO.seal("g1", CODE, WORDS)
    assert AFTER.unseal("g1", kid, sealed) == (CODE, WORDS)
    assert AFTER.unsign("viewer", CRYPTO.sign("viewer", "t1")) == "t1"
    assert CRYPTO.flask_secrets()[0] in AFTER.flask_secrets()


def test_new_things_are_made_with_the_newest_key() -> None:
    assert CRYPTO.unsign("viewer", AFTER.sign("viewer", "t1")) is None
    assert AFTER.seal("g1", CODE, WORDS)[0] != CRYPTO.seal("g1", CODE, WORDS)[0]
    assert AFTER.flask_secrets()[0] not in CRYPTO.flask_secrets()


def test_a_retired_key_opens_nothing_any_more() -> None:
    kid, sealed = CRYPTO.seal("g1", CODE, WORDS)
    with pytest.raises(KeyError):
        RETIRED.unseal("g1", kid, sealed)
    assert RETIRED.unsign("viewer", CRYPTO.sign("viewer", "t1")) is None
    assert not set(CRYPTO.code_indexes(CODE).values()) & set(RETIRED.code_indexes(CODE).values())


# Hashes.


def test_another_code_and_another_site_have_another_index() -> None:
    (index,) = CRYPTO.code_indexes(CODE).values()
    (of_other_code,) = CRYPTO.code_indexes(OTHER_CODE).values()
    (of_other_salt,) = crypto_with(replace(RING, site_salt=b"x" * 16)).code_indexes(CODE).values()
    assert len({index, of_other_code, of_other_salt}) == 3
    assert {len(index)} == {32}


def test_only_the_right_password_is_right() -> None:
    kid, encoded = CRYPTO.pepper_kid, CRYPTO.hash_password(WORDS)
    assert CRYPTO.verify_password(kid, encoded, WORDS)
    for wrong in (OTHER_WORDS, "", "4829173065 ", Password("0000000000")):
        assert not CRYPTO.verify_password(kid, encoded, wrong)


def test_one_password_has_another_hash_each_time_and_none_without_the_pepper() -> None:
    one, other = CRYPTO.hash_password(WORDS), CRYPTO.hash_password(WORDS)
    assert one != other
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")  # OWASP's figures
    stolen = crypto_with(replace(RING, keys={**RING.keys, "pepper": (Key(CRYPTO.pepper_kid, b"x" * 32),)}))
    assert not stolen.verify_password(CRYPTO.pepper_kid, one, WORDS)


@pytest.mark.parametrize("stored", ["", "x", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$AAAA$AAAA", "plain"])
def test_a_damaged_hash_refuses_instead_of_failing(stored: str) -> None:
    assert not CRYPTO.verify_password(CRYPTO.pepper_kid, stored, WORDS)


def test_the_same_birth_date_in_two_grants_has_two_verifiers() -> None:
    kid = CRYPTO.pepper_kid
    macs = {
        CRYPTO.birth_date_mac(kid, "g1", BORN),
        CRYPTO.birth_date_mac(kid, "g2", BORN),
        CRYPTO.birth_date_mac(kid, "g1", date(1958, 3, 28)),
        STRANGER.birth_date_mac(STRANGER.pepper_kid, "g1", BORN),
    }
    assert len(macs) == 4


def test_nobody_who_asks_while_all_slots_are_taken_gets_an_answer() -> None:
    slots = HashSlots(1, queue_seconds=0.01)
    crypto = Crypto(RING, slots)
    with slots.one():
        for ask in (
            lambda: crypto.code_indexes(CODE),
            lambda: crypto.hash_password(WORDS),
            lambda: crypto.verify_password(crypto.pepper_kid, "", WORDS),
            crypto.waste_a_hash,
        ):
            with pytest.raises(Busy):
                ask()
    crypto.waste_a_hash()  # free again: an error gives its slot back


def test_never_more_hashes_run_at_a_time_than_there_are_slots() -> None:
    slots, running, most = HashSlots(2), threading.Semaphore(0), []
    lock = threading.Lock()
    count = 0

    def work() -> None:
        nonlocal count
        with slots.one():
            with lock:
                count += 1
                most.append(count)
            running.acquire(timeout=0.02)
            with lock:
                count -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2


# Seals.


def test_a_seal_opens_only_for_its_grant() -> None:
    kid, sealed = CRYPTO.seal("g1", CODE, WORDS)
    assert CRYPTO.unseal("g1", kid, sealed) == (CODE, WORDS)
    with pytest.raises(ValueError, match="seal is broken"):
        CRYPTO.unseal("g2", kid, sealed)


@given(st.data())
def test_a_seal_that_was_touched_never_opens(draw: st.DataObject) -> None:
    kid, sealed = CRYPTO.seal("g1", CODE, WORDS)
    at, bit = draw.draw(st.integers(0, len(sealed) - 1)), 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(ValueError):
        CRYPTO.unseal("g1", kid, sealed[:at] + bytes([sealed[at] ^ bit]) + sealed[at + 1 :])


@pytest.mark.parametrize("length", [0, 5, 12, 20, 40])
def test_a_seal_that_was_cut_short_never_opens(length: int) -> None:
    kid, sealed = CRYPTO.seal("g1", CODE, WORDS)
    with pytest.raises(ValueError) as caught:
        CRYPTO.unseal("g1", kid, sealed[:length])
    assert "K7QD" not in str(caught.value)


def test_a_seal_shows_nothing_and_is_another_each_time() -> None:
    (_, one), (_, other) = CRYPTO.seal("g1", CODE, WORDS), CRYPTO.seal("g1", CODE, WORDS)
    assert one != other
    assert one[:12] != other[:12]
    assert b"K7QD" not in one
    assert b"482917" not in one


@pytest.mark.parametrize("length", range(8, 17))
def test_whatever_was_issued_can_be_printed_again(length: int) -> None:
    code, words = access_code.generate(length), password.generate()
    assert CRYPTO.unseal("g1", *CRYPTO.seal("g1", code, words)) == (code, words)


# Signatures.


def test_a_token_is_short_and_needs_no_encoding_in_any_viewers_address() -> None:
    for _ in range(200):
        token = CRYPTO.sign("viewer-token", secrets.token_urlsafe(16))
        assert len(token) < 100
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", token)


def test_a_token_serves_no_other_purpose() -> None:
    token = CRYPTO.sign("viewer", "t1")
    assert CRYPTO.unsign("viewer", token) == "t1"
    assert CRYPTO.unsign("unsubscribe", token) is None
    assert CRYPTO.unsign("", token) is None
    assert STRANGER.unsign("viewer", token) is None


@given(st.data())
def test_a_token_with_another_symbol_is_refused(draw: st.DataObject) -> None:
    token = CRYPTO.sign("viewer", "AbCdEfGhIjKlMnOpQrStUv")
    at = draw.draw(st.integers(0, len(token) - 2))  # two bits of the last symbol carry nothing
    other = draw.draw(st.characters().filter(lambda symbol: symbol != token[at]))
    assert CRYPTO.unsign("viewer", token[:at] + other + token[at + 1 :]) is None


@given(st.text(st.characters() | st.sampled_from("\ud800\x00. "), max_size=120))
def test_junk_is_refused_and_never_an_error(junk: str) -> None:
    assert CRYPTO.unsign("viewer", junk) is None


@pytest.mark.parametrize(
    "junk",
    [
        "",
        ".",
        "a.",
        ".a",
        "a.b.c",
        "\ud800",
        "t1.\ud800",
        "ß.ß",
        "\x00",
        "Bearer x",
        "eyJhbGciOiJub25lIn0.e30.",
        "x" * 100_000,
    ],
)
def test_foreign_tokens_are_refused(junk: str) -> None:
    assert CRYPTO.unsign("viewer", junk) is None


def test_a_session_cookie_is_signed_with_a_key_of_its_own() -> None:
    signing = [key.secret for key in RING.keys["signing"]]
    assert len(CRYPTO.flask_secrets()[0]) == 32
    assert not set(CRYPTO.flask_secrets()) & set(signing)


def test_a_signature_has_one_spelling() -> None:
    """The last character of base64 carries two bits that decode to nothing."""
    crypto = crypto_with(RING)
    token = crypto.sign("viewer-token", "a" * 22)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    accepted = [last for last in alphabet if crypto.unsign("viewer-token", token[:-1] + last) is not None]

    assert accepted == [token[-1]]


# Second factors and recovery codes.


def test_a_sealed_text_survives_a_rotation_and_opens_in_its_own_context_alone() -> None:
    kid, sealed = CRYPTO.seal_text("totp:1", "SECRET")

    assert b"SECRET" not in sealed
    assert CRYPTO.seal_text("totp:1", "SECRET")[1] != sealed
    assert AFTER.unseal_text("totp:1", kid, sealed) == "SECRET"
    assert AFTER.sealing_kid != kid
    for context, changed in (("totp:2", sealed), ("totp:1", sealed[:-1] + b"x"), ("totp:1", b"")):
        with pytest.raises(ValueError):
            CRYPTO.unseal_text(context, kid, changed)
    for other in (RETIRED, STRANGER):
        with pytest.raises(KeyError):
            other.unseal_text("totp:1", kid, sealed)


def test_a_recovery_codes_mac_is_its_accounts_and_its_peppers() -> None:
    kid = CRYPTO.pepper_kid
    mac = CRYPTO.recovery_mac(kid, 1, "0123456789ABCDEF")

    assert AFTER.recovery_mac(kid, 1, "0123456789ABCDEF") == mac
    assert (
        len(
            {
                mac,
                CRYPTO.recovery_mac(kid, 2, "0123456789ABCDEF"),
                AFTER.recovery_mac(AFTER.pepper_kid, 1, "0123456789ABCDEF"),
            }
        )
        == 3
    )
    with pytest.raises(KeyError):
        RETIRED.recovery_mac(kid, 1, "0123456789ABCDEF")
