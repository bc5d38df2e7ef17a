"""Files sealed under a passphrase, written and read as a stream: a backup need not fit into memory.

The key is argon2id of the passphrase (RFC 9106, section 4, second recommendation: 64 MiB, t = 3, p = 4). The
content goes through gzip into frames of AES-256-GCM whose nonces count and whose last one says so (the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015): a frame changed, moved, dropped or cut off at
the end is noticed. Nothing of a file is given out before its frame was found good.

Layout: a line that names the format, a line of JSON (how to derive the key), then frames: length (4 bytes,
big-endian), ciphertext with tag.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"STUDYKEY BACKUP 1\n"
MEMORY_KIB, PASSES, LANES = 64 * 1024, 3, 4
FRAME_BYTES, TAG_BYTES = 64 * 1024, 16
MAX_HEADER_BYTES = 1000
MIN_PASSPHRASE_LENGTH = 12


class Unreadable(Exception):
    """No sealed file, damaged, or the wrong passphrase; the message is a sentence."""


class WeakPassphrase(ValueError):
    """The message is a sentence."""


@contextmanager
def create(path: Path, passphrase: str) -> Iterator[BinaryIO]:
    """A new file (mode 0600) to write into; on disk and complete when the block ends well, gone otherwise.

    Raises FileExistsError: what is there is never overwritten. Raises WeakPassphrase, OSError.
    """
    if len(passphrase) < MIN_PASSPHRASE_LENGTH:
        raise WeakPassphrase(f"A passphrase has {MIN_PASSPHRASE_LENGTH} characters or more.")
    salt, prefix = secrets.token_bytes(16), secrets.token_bytes(7)
    derivation = {
        "kdf": "argon2id",
        "memory_kib": MEMORY_KIB,
        "passes": PASSES,
        "lanes": LANES,
        "salt": base64.b64encode(salt).decode(),
        "nonce": base64.b64encode(prefix).decode(),
    }
    header = MAGIC + json.dumps(derivation).encode() + b"\n"
    key = _derived(passphrase, salt, MEMORY_KIB, PASSES, LANES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(header)
            frames = _Sealer(file, AESGCM(key), prefix, header)
            with gzip.GzipFile(fileobj=frames, mode="wb", mtime=0) as zipped:
                yield zipped  # type: ignore[misc]
            frames.finish()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def opened(path: Path, passphrase: str) -> Iterator[BinaryIO]:
    """The clear content, to be read to its end: only then is it known to be whole. Raises Unreadable."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"{path} can't be read: {error.strerror}.") from None
    with file:
        header, derivation = _header(file, path)
        key, prefix = _key(passphrase, derivation, path)
        frames = io.BufferedReader(_Opener(file, AESGCM(key), prefix, header, path), FRAME_BYTES)
        with gzip.GzipFile(fileobj=frames) as unzipped:
            yield unzipped  # type: ignore[misc]


class _Sealer:
    """What gzip writes into: whole frames go out as they fill."""

    def __init__(self, out: BinaryIO, cipher: AESGCM, prefix: bytes, header: bytes) -> None:
        self._out, self._cipher, self._prefix, self._header = out, cipher, prefix, header
        self._waiting = bytearray()
        self._count = 0

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > FRAME_BYTES:  # the last frame is never sent from here
            self._send(bytes(self._waiting[:FRAME_BYTES]), is_last=False)
            del self._waiting[:FRAME_BYTES]
        return len(data)

    def flush(self) -> None:
        """Frames go out when they are full, or last."""

    def finish(self) -> None:
        self._send(bytes(self._waiting), is_last=True)

    def _send(self, clear: bytes, *, is_last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._count, is_last), clear, self._header)
        self._out.write(len(sealed).to_bytes(4, "big") + sealed)
        self._count += 1


class _Opener(io.RawIOBase):
    """What gunzip reads from."""

    def __init__(self, file: BinaryIO, cipher: AESGCM, prefix: bytes, header: bytes, path: Path) -> None:
        self._file, self._cipher, self._prefix, self._header = file, cipher, prefix, header
        self._damaged = Unreadable(f"The file {path} is damaged.")
        # Before anything was opened, nobody can tell the two apart.
        self._wrong = Unreadable(f"The passphrase is wrong, or {path} is damaged at its beginning.")
        self._clear = b""
        self._count = 0
        self._is_done = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._clear and not self._is_done:
            self._clear = self._next()
        taken = self._clear[: len(buffer)]
        buffer[: len(taken)] = taken
        self._clear = self._clear[len(taken) :]
        return len(taken)

    def _next(self) -> bytes:
        """The next frame. Raises Unreadable."""
        length = int.from_bytes(self._file.read(4), "big")
        if not TAG_BYTES <= length <= FRAME_BYTES + TAG_BYTES:
            raise self._damaged
        sealed = self._file.read(length)
        is_last = not self._file.peek(1)  # type: ignore[attr-defined]
        try:
            clear = self._cipher.decrypt(_nonce(self._prefix, self._count, is_last), sealed, self._header)
        except InvalidTag:
            raise (self._damaged if self._count else self._wrong) from None
        self._count += 1
        self._is_done = is_last
        return clear


def _nonce(prefix: bytes, count: int, is_last: bool) -> bytes:
    return prefix + count.to_bytes(4, "big") + bytes([is_last])


def _header(file: BinaryIO, path: Path) -> tuple[bytes, dict[str, Any]]:
    if file.read(len(MAGIC)) != MAGIC:
        raise Unreadable(f"{path} is no backup of Studykey, or of a version that this one can't read.")
    line = file.readline(MAX_HEADER_BYTES)
    try:
        derivation = json.loads(line)
        if not isinstance(derivation, dict):
            raise TypeError
    except (ValueError, TypeError):
        raise Unreadable(f"The file {path} is damaged.") from None
    return MAGIC + line, derivation


def _key(passphrase: str, derivation: dict[str, Any], path: Path) -> tuple[bytes, bytes]:
    """(key, nonce prefix). What a forged header may ask for is bounded."""
    try:
        memory, passes, lanes = (int(derivation[name]) for name in ("memory_kib", "passes", "lanes"))
        salt, prefix = (base64.b64decode(derivation[name], validate=True) for name in ("salt", "nonce"))
        is_sound = 8 * lanes <= memory <= 1024 * 1024 and 1 <= passes <= 20 and 1 <= lanes <= 16
        if derivation["kdf"] != "argon2id" or not is_sound or len(salt) != 16 or len(prefix) != 7:
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise Unreadable(f"The file {path} is damaged.") from None
    return _derived(passphrase, salt, memory, passes, lanes), prefix


def _derived(passphrase: str, salt: bytes, memory: int, passes: int, lanes: int) -> bytes:
    typed = unicodedata.normalize("NFC", passphrase).encode()
    return hash_secret_raw(typed, salt, passes, memory, lanes, 32, Type.ID)
