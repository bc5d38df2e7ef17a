"""Hashing, sealing and signing: the only module that knows argon2, AES-GCM and itsdangerous.

Figures from OWASP's password storage cheat sheet (argon2id, 19 MiB, t = 2, p = 1) and RFC 9106.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from contextlib import AbstractContextManager
from datetime import date

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from app.adapters.hash_slots import HashSlots
from app.adapters.keys import Keyring, KeySource
from app.domain.access_code import AccessCode
from app.domain.password import Password

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1

log = structlog.get_logger(__name__)


class Crypto:
    """All secrets' work, under the keys of this moment: a rotation counts at once, without a restart."""

    def __init__(self, keys: KeySource, slots: HashSlots) -> None:
        self._keys = keys
        self._slots = slots
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._decoy = _decoy()

    @property
    def _ring(self) -> Keyring:
        return self._keys.current()

    @property
    def pepper_kid(self) -> str:
        """The id of the pepper for new verifiers."""
        return self._ring.newest("pepper").kid

    def turn(self, rank: int = 0) -> AbstractContextManager[None]:
        """One hash slot for all hashes of this thread within; ``rank`` 0 comes first. Raises Busy."""
        return self._slots.turn(rank)

    # The access code: a slow blind index.

    def code_indexes(self, code: AccessCode) -> dict[str, bytes]:
        """``HMAC(pepper, argon2id(code, site salt))`` under every pepper, by key id. Raises Busy."""
        with self._slots.one():
            slow = hash_secret_raw(
                code.symbols.encode(), self._ring.site_salt, PASSES, MEMORY_KIB, LANES, 32, Type.ID
            )
        return {key.kid: _mac(key.secret, "code", slow) for key in self._ring.keys["pepper"]}

    # Passwords: of grants and of staff.

    def hash_password(self, password: Password | str, *, kid: str | None = None) -> str:
        """argon2id of the peppered password, encoded with its own salt. Raises Busy.

        ``kid``: the pepper that the caller notes beside it (a rotation may come in between).
        """
        with self._slots.one():
            return self._hasher.hash(self._peppered(kid or self.pepper_kid, password))

    def verify_password(self, kid: str, encoded: str, password: Password | str) -> bool:
        """One hash, whatever comes of it. Raises Busy."""
        with self._slots.one():
            try:
                return self._hasher.verify(encoded, self._peppered(kid, password))
            except (VerificationError, InvalidHashError):
                return False
            except KeyError:  # taken out of the file by hand: nothing is right any more, and it must be seen
                log.error("a pepper is missing", kid=kid)
                self._hasher.hash(b"")
                return False

    def waste_a_hash(self) -> None:
        """What an unknown code costs, so that it takes as long as a known one. Raises Busy."""
        self.verify_password(self.pepper_kid, self._decoy, "")

    def _peppered(self, kid: str, password: Password | str) -> bytes:
        text = password.digits if isinstance(password, Password) else password
        return _mac(self._ring.get("pepper", kid).secret, "password", text.encode())

    # Birth dates: a keyed MAC, bound to the grant.

    def birth_date_mac(self, kid: str, grant_ref: str, born: date) -> bytes:
        message = f"{grant_ref}|{born.isoformat()}".encode()
        return _mac(self._ring.get("pepper", kid).secret, "birth-date", message)

    # The audit trail's chain. Peppers live as long as grants do, and grants as long as their audit.

    def audit_mac(self, kid: str, message: bytes) -> bytes:
        """HMAC-SHA256 of a row of the audit trail, or of its ends. Raises KeyError for a retired key."""
        return _mac(self._ring.get("pepper", kid).secret, "audit", message)

    # Sealing for reprints.

    def seal(self, grant_ref: str, code: AccessCode, password: Password) -> tuple[str, bytes]:
        """(key id, nonce and ciphertext), bound to the grant (AES-256-GCM, NIST SP 800-38D)."""
        key = self._ring.newest("sealing")
        nonce = secrets.token_bytes(12)
        clear = json.dumps([code.symbols, password.digits]).encode()
        return key.kid, nonce + AESGCM(key.secret).encrypt(nonce, clear, grant_ref.encode())

    def unseal(self, grant_ref: str, kid: str, sealed: bytes) -> tuple[AccessCode, Password]:
        """Raises KeyError for a retired key, ValueError for a seal that is broken or of another grant."""
        key = self._ring.get("sealing", kid)
        try:
            clear = AESGCM(key.secret).decrypt(sealed[:12], sealed[12:], grant_ref.encode())
        except InvalidTag:
            raise ValueError("the seal is broken") from None
        symbols, digits = json.loads(clear)
        return AccessCode(symbols), Password(digits)

    # Secrets of second factors, and the codes that take their place.

    def seal_text(self, context: str, text: str) -> tuple[str, bytes]:
        """(key id, nonce and ciphertext), bound to ``context`` (AES-256-GCM, NIST SP 800-38D)."""
        key = self._ring.newest("sealing")
        nonce = secrets.token_bytes(12)
        return key.kid, nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), context.encode())

    def unseal_text(self, context: str, kid: str, sealed: bytes) -> str:
        """Raises KeyError for a retired key, ValueError for a seal that is broken or of another context."""
        key = self._ring.get("sealing", kid)
        try:
            return AESGCM(key.secret).decrypt(sealed[:12], sealed[12:], context.encode()).decode()
        except InvalidTag:
            raise ValueError("the seal is broken") from None

    @property
    def sealing_kid(self) -> str:
        """The id of the key for new seals."""
        return self._ring.newest("sealing").kid

    def recovery_mac(self, kid: str, staff_id: int, symbols: str) -> bytes:
        """HMAC-SHA256 of an account's recovery code. Raises KeyError for a retired key."""
        return _mac(self._ring.get("pepper", kid).secret, "recovery", f"{staff_id}|{symbols}".encode())

    # Signatures: an own salt per purpose, so that no token serves another purpose.

    def sign(self, purpose: str, value: str) -> str:
        """``value`` and its signature, of ``[A-Za-z0-9._~-]`` only when ``value`` is."""
        return self._signer(purpose).sign(value).decode()

    def unsign(self, purpose: str, token: str) -> str | None:
        """The value, or None for anything that we didn't sign for this purpose."""
        try:
            value = self._signer(purpose).unsign(token).decode()
            # Base64 leaves two bits over: four spellings of one signature. Only ours is a token of ours.
            signature = token.rpartition(".")[2]
            is_ours = base64_encode(base64_decode(signature)).decode() == signature
        except (BadData, UnicodeError):
            return None
        return value if is_ours else None

    def _signer(self, purpose: str) -> Signer:
        keys = [key.secret for key in self._ring.keys["signing"]]
        return Signer(
            keys,
            salt=f"studykey.{purpose}".encode(),
            sep=".",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def flask_secrets(self) -> list[bytes]:
        """Keys for Flask's session cookie (CSRF), newest first, derived so that they sign nothing else."""
        return [_mac(key.secret, "flask", b"session") for key in reversed(self._ring.keys["signing"])]


def _decoy() -> str:
    """An encoded argon2id hash of nothing: random bytes, so that making it costs no hash of its own."""
    salt, hash_ = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash_}"


def _mac(key: bytes, purpose: str, message: bytes) -> bytes:
    return hmac.digest(key, purpose.encode() + b"\0" + message, "sha256")
