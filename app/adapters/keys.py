"""The keys file: site salt, peppers, signing and sealing keys, each key with an id.

The newest key of a purpose (the last) is used for new things; all of them still read. The file is the
one secret that is not in the database: whoever has both has everything but the argon2 work. It is only
ever replaced whole, so that no crash and no second writer can lose a key.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import structlog

PURPOSES = ("pepper", "signing", "sealing")
KEY_BYTES, MIN_SALT_BYTES, MAX_KID_LENGTH = 32, 16, 16  # rows keep 16 characters of a key id

log = structlog.get_logger(__name__)


class KeysMissing(Exception):
    """There is no keys file, or it can't be used; the message is a sentence for the operator."""


class KeysUnwritable(Exception):
    """The keys file can't be replaced; it is as it was. The message is a sentence for the operator."""


@dataclass(frozen=True)
class Key:
    kid: str
    secret: bytes = field(repr=False)
    # None: made before the file noted it.
    made_at: datetime | None = None


@dataclass(frozen=True)
class Keyring:
    """``keys[purpose]`` is never empty; oldest first. No key id names two keys."""

    site_salt: bytes = field(repr=False)
    keys: Mapping[str, tuple[Key, ...]]

    def newest(self, purpose: str) -> Key:
        return self.keys[purpose][-1]

    def get(self, purpose: str, kid: str) -> Key:
        """Raises KeyError for a key that was retired."""
        return {key.kid: key for key in self.keys[purpose]}[kid]

    def purpose_of(self, kid: str) -> str:
        """Raises KeyError for a key that was retired or never was."""
        return {key.kid: purpose for purpose, keys in self.keys.items() for key in keys}[kid]

    def with_new(self, purpose: str, key: Key) -> Keyring:
        """The ring after a rotation: one more key, the newest."""
        return replace(self, keys={**self.keys, purpose: (*self.keys[purpose], key)})

    def without(self, kid: str) -> Keyring:
        """The ring after a retirement. Raises KeyError for an unknown key, ValueError for the newest."""
        purpose = self.purpose_of(kid)
        if self.newest(purpose).kid == kid:
            raise ValueError("the newest key of a purpose can't be taken out")
        kept = tuple(key for key in self.keys[purpose] if key.kid != kid)
        return replace(self, keys={**self.keys, purpose: kept})

    def current(self) -> Keyring:
        """Itself: a ring that never changes is a source of keys as well (``KeySource``)."""
        return self


class KeySource(Protocol):
    """Where the ring of this moment comes from."""

    def current(self) -> Keyring: ...


class KeysFile:
    """The ring as the file has it now: a key that another process made counts from its next use on.

    Each look costs one ``stat``. A file that went away or broke while Studykey runs is logged, and the ring
    from before stays in use: patients need not suffer for it. Raises KeysMissing when made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = _stamp(path)  # before reading: a change in between is seen at the next look
        self._ring = read(path)

    def current(self) -> Keyring:
        if _stamp(self._path) != self._seen:
            with self._lock:
                stamp = _stamp(self._path)
                if stamp != self._seen:
                    self._seen = stamp
                    self._read_again()
        return self._ring

    def _read_again(self) -> None:
        try:
            self._ring = read(self._path)
        except KeysMissing as missing:
            log.error("the keys from before stay in use", why=str(missing))
        else:
            log.info("the keys were read again", newest=[self._ring.newest(one).kid for one in PURPOSES])


def generate(*, at: datetime | None = None) -> Keyring:
    """A fresh ring: a 16-byte site salt and one key for each purpose, made ``at``."""
    return Keyring(secrets.token_bytes(16), {purpose: (fresh(purpose, at=at),) for purpose in PURPOSES})


def write(path: Path, ring: Keyring) -> None:
    """Make the file, readable by its owner alone (0600). Raises FileExistsError: keys are never lost."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(path):
        if path.exists():
            raise FileExistsError(path)
        _put(path, ring)


def change(path: Path, alter: Callable[[Keyring], Keyring]) -> Keyring:
    """Replace the ring by what ``alter`` makes of it, and give it back.

    Two changes at once come one after the other. Raises KeysMissing, KeysUnwritable, and what ``alter`` does.
    """
    try:
        with _alone(path):
            ring = alter(read(path))
            _put(path.resolve(), ring)  # a link goes on pointing to the one file
    except OSError as error:
        raise KeysUnwritable(
            f"The keys file {path} can't be replaced ({error.strerror}). Run this as the user who owns it."
        ) from None
    return ring


def read(path: Path) -> Keyring:
    """Raises KeysMissing, without a byte of what the file holds, when there are no usable keys."""
    try:
        return from_document(json.loads(path.read_text()))
    except FileNotFoundError:
        raise KeysMissing(f"There is no keys file at {path}. Make one: studykey keys init.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise KeysMissing(f"The keys file {path} can't be read. Restore it from the backup.") from None
    except KeysMissing as lack:
        raise KeysMissing(f"The keys file {path} {lack}. Restore it from the backup.") from None


def is_open_to_others(path: Path) -> bool:
    """Whether every user of this machine can read the file (its own group may)."""
    return bool(path.stat().st_mode & 0o007)


def to_document(ring: Keyring) -> dict[str, Any]:
    """The ring as JSON has it."""
    return {
        "site_salt": base64.b64encode(ring.site_salt).decode(),
        **{purpose: [_entry(key) for key in keys] for purpose, keys in ring.keys.items()},
    }


def from_document(document: Any) -> Keyring:
    """Raises KeysMissing (half a sentence), or ValueError, KeyError, TypeError, AttributeError when it is no
    document of ours."""
    ring = Keyring(
        base64.b64decode(document["site_salt"], validate=True),
        {purpose: tuple(_key(entry) for entry in document[purpose]) for purpose in PURPOSES},
    )
    every = [key for keys in ring.keys.values() for key in keys]
    if len(ring.site_salt) < MIN_SALT_BYTES or not all(ring.keys.values()):
        raise KeysMissing("lacks a key")
    if {len(key.secret) for key in every} != {KEY_BYTES}:
        raise KeysMissing("lacks a key")
    if not all(isinstance(key.kid, str) and 0 < len(key.kid) <= MAX_KID_LENGTH for key in every):
        raise KeysMissing("names a key as no key is named")
    if len({key.kid for key in every}) < len(every):
        raise KeysMissing("has one name for two keys")
    return ring


def fresh(purpose: str, *, at: datetime | None) -> Key:
    """A new key, made ``at``."""
    return Key(f"{purpose}-{secrets.token_hex(4)}", secrets.token_bytes(KEY_BYTES), at)


def _entry(key: Key) -> dict[str, str]:
    made = {"made_at": key.made_at.isoformat()} if key.made_at else {}
    return {"kid": key.kid, "key": base64.b64encode(key.secret).decode(), **made}


def _key(entry: Mapping[str, str]) -> Key:
    made_at = datetime.fromisoformat(entry["made_at"]) if "made_at" in entry else None
    if made_at is not None and made_at.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return Key(entry["kid"], base64.b64decode(entry["key"], validate=True), made_at)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs when the file is another one. None: it isn't there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time, over all processes: a lock on the file's folder."""
    folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _put(path: Path, ring: Keyring) -> None:
    """Write beside, then rename: whoever reads sees the file from before or the new one, whole."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            with suppress(FileNotFoundError):
                before = path.stat()
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)  # or the service can't read it
            json.dump(to_document(ring), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        assert read(beside) == ring
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
