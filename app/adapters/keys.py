"""The keys file: site salt, peppers, signing and sealing keys, each key with an id.

The newest key of a purpose (the last) is used for new things; all of them still read. The file is the
one secret that is not in the database: whoever has both has everything but the argon2 work.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PURPOSES = ("pepper", "signing", "sealing")
KEY_BYTES = 32


class KeysMissing(Exception):
    """There is no keys file, or it can't be used; the message is a sentence for the operator."""


@dataclass(frozen=True)
class Key:
    kid: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Keyring:
    """``keys[purpose]`` is never empty; oldest first."""

    site_salt: bytes = field(repr=False)
    keys: Mapping[str, tuple[Key, ...]]

    def newest(self, purpose: str) -> Key:
        return self.keys[purpose][-1]

    def get(self, purpose: str, kid: str) -> Key:
        """Raises KeyError for a key that was retired."""
        return {key.kid: key for key in self.keys[purpose]}[kid]


def generate() -> Keyring:
    """A fresh ring: a 16-byte site salt and one key for each purpose."""
    fresh = {
        purpose: (Key(f"{purpose}-{secrets.token_hex(3)}", secrets.token_bytes(KEY_BYTES)),)
        for purpose in PURPOSES
    }
    return Keyring(secrets.token_bytes(16), fresh)


def write(path: Path, ring: Keyring) -> None:
    """Write the ring, readable by its owner alone (0600). Raises FileExistsError: keys are never lost."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    document = {
        "site_salt": base64.b64encode(ring.site_salt).decode(),
        **{
            purpose: [{"kid": key.kid, "key": base64.b64encode(key.secret).decode()} for key in keys]
            for purpose, keys in ring.keys.items()
        },
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=1)


def read(path: Path) -> Keyring:
    """Raises KeysMissing, without a byte of what the file holds, when there are no usable keys."""
    try:
        document = json.loads(path.read_text())
        ring = Keyring(
            base64.b64decode(document["site_salt"], validate=True),
            {
                purpose: tuple(
                    Key(entry["kid"], base64.b64decode(entry["key"], validate=True))
                    for entry in document[purpose]
                )
                for purpose in PURPOSES
            },
        )
    except FileNotFoundError:
        raise KeysMissing(f"There is no keys file at {path}. Make one: studykey keys init.") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise KeysMissing(f"The keys file {path} can't be read. Restore it from the backup.") from None
    lengths = {len(key.secret) for keys in ring.keys.values() for key in keys}
    if len(ring.site_salt) < 16 or not all(ring.keys.values()) or lengths != {KEY_BYTES}:
        raise KeysMissing(f"The keys file {path} lacks a key. Restore it from the backup.")
    return ring
