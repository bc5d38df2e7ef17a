"""The keys file: private, never overwritten, and silent about what it holds when it is broken."""

from __future__ import annotations

import base64
import json
import os
import stat
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.adapters import keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "instance" / "keys.json"


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def test_the_file_is_readable_by_its_owner_alone_whatever_the_umask(path: Path, open_umask: None) -> None:
    keys.write(path, keys.generate())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_keys_are_never_overwritten(path: Path) -> None:
    keys.write(path, keys.generate())
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        keys.write(path, keys.generate())
    assert path.read_bytes() == before


def test_what_was_written_is_read_back(path: Path) -> None:
    ring = keys.generate()
    keys.write(path, ring)
    assert keys.read(path) == ring


def test_two_installations_never_share_a_secret() -> None:
    one, other = keys.generate(), keys.generate()
    secrets = [key.secret for ring in (one, other) for ring_keys in ring.keys.values() for key in ring_keys]
    assert len({*secrets, one.site_salt, other.site_salt}) == 2 * (len(keys.PURPOSES) + 1)


def test_a_traceback_shows_no_key() -> None:
    ring = keys.generate()
    shown = repr(ring)
    for key in (key for of_purpose in ring.keys.values() for key in of_purpose):
        assert key.kid in shown  # says which key, for whoever looks for the fault …
        assert repr(key.secret)[2:-1] not in shown  # … and not what it is
    assert repr(ring.site_salt)[2:-1] not in shown


def test_a_missing_file_says_how_to_make_one(path: Path) -> None:
    with pytest.raises(keys.KeysMissing, match="studykey keys init"):
        keys.read(path)


SECRET = base64.b64encode(b"s" * 32).decode()


def _document() -> dict[str, Any]:
    return {
        "site_salt": SECRET,
        **{purpose: [{"kid": f"{purpose}-1", "key": SECRET}] for purpose in keys.PURPOSES},
    }


def _with(change: Callable[[dict[str, Any]], Any]) -> str:
    document = _document()
    change(document)
    return json.dumps(document)


BROKEN = {
    "empty": "",
    "cut short": json.dumps(_document())[:-9],
    "no JSON": f"site_salt = {SECRET}",
    "a list": json.dumps([_document()]),
    "a string": json.dumps(SECRET),
    "null": "null",
    "no salt": _with(lambda document: document.pop("site_salt")),
    "a short salt": _with(lambda document: document.update(site_salt="c3M=")),
    "no pepper": _with(lambda document: document.pop("pepper")),
    "an empty list": _with(lambda document: document.update(signing=[])),
    "all empty": _with(lambda document: document.update(pepper=[], signing=[], sealing=[])),
    "not base64": _with(lambda document: document.update(signing=[{"kid": "k", "key": SECRET + "!"}])),
    "a key without id": _with(lambda document: document.update(signing=[{"key": SECRET}])),
    "a number": _with(lambda document: document.update(signing=7)),
    "a string of keys": _with(lambda document: document.update(signing=SECRET)),
    "a short key": _with(lambda document: document.update(pepper=[{"kid": "k", "key": SECRET[:12]}])),
    "one name for two keys": _with(
        lambda document: document.update(signing=[{"kid": "k2", "key": SECRET}] * 2)
    ),
    "a name that no row can hold": _with(
        lambda document: document.update(signing=[{"kid": "k" * 17, "key": SECRET}])
    ),
    "a moment that is none": _with(
        lambda document: document.update(signing=[{"kid": "k2", "key": SECRET, "made_at": "noon"}])
    ),
    "a long sealing key": _with(
        lambda document: document.update(sealing=[{"kid": "k", "key": base64.b64encode(b"s" * 64).decode()}])
    ),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_gives_a_sentence_and_none_of_its_bytes(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(keys.KeysMissing, match=r"^The keys file .* Restore it from the backup\.$") as caught:
        keys.read(path)
    assert SECRET[:8] not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_is_no_text_gives_a_sentence_too(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe" + bytes(range(256)))
    with pytest.raises(keys.KeysMissing, match="backup"):
        keys.read(path)


def test_a_folder_in_its_place_gives_a_sentence_too(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(keys.KeysMissing, match="backup"):
        keys.read(path)


def test_the_newest_key_is_the_last_and_a_retired_one_is_gone() -> None:
    old, new = keys.Key("old", b"o" * 32), keys.Key("new", b"n" * 32)
    ring = keys.Keyring(b"s" * 16, {"pepper": (old, new)})
    assert ring.newest("pepper") is new
    assert ring.get("pepper", "old") is old
    with pytest.raises(KeyError):
        ring.get("pepper", "older")


AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def rotate(path: Path, purpose: str = "pepper") -> keys.Key:
    key = keys.fresh(purpose, at=AT)
    keys.change(path, lambda ring: ring.with_new(purpose, key))
    return key


def test_a_rotation_keeps_every_older_key_and_the_salt(path: Path) -> None:
    before = keys.generate(at=AT)
    keys.write(path, before)
    key = rotate(path)
    after = keys.read(path)
    assert after.keys["pepper"] == (*before.keys["pepper"], key)
    assert (after.site_salt, after.keys["signing"]) == (before.site_salt, before.keys["signing"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path], "nothing is left beside it"


def test_rotations_at_the_same_time_lose_no_key(path: Path) -> None:
    keys.write(path, keys.generate())
    made: list[keys.Key] = []
    threads = [threading.Thread(target=lambda: made.append(rotate(path))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(keys.read(path).keys["pepper"][1:]) == set(made)
    assert len(made) == 12


def test_a_change_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    keys.write(path, keys.generate())
    before = path.read_bytes()

    def fails(ring: keys.Keyring) -> keys.Keyring:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        keys.change(path, fails)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_file_behind_a_link_is_replaced_where_it_is(path: Path, tmp_path: Path) -> None:
    keys.write(path, keys.generate())
    link = tmp_path / "link.json"
    link.symlink_to(path)
    key = rotate(link)
    assert link.is_symlink()
    assert keys.read(path).newest("pepper") == key


def test_a_running_process_uses_a_new_key_at_once(path: Path) -> None:
    keys.write(path, keys.generate())
    running = keys.KeysFile(path)
    assert running.current() is running.current()
    for purpose in keys.PURPOSES:
        key = rotate(path, purpose)
        assert running.current().newest(purpose) == key


@pytest.mark.parametrize("harm", ["gone", "cut short"])
def test_a_running_process_goes_on_with_the_keys_from_before(path: Path, harm: str) -> None:
    ring = keys.generate()
    keys.write(path, ring)
    running = keys.KeysFile(path)
    content = path.read_text()
    if harm == "gone":
        path.unlink()
    else:
        path.write_text(content[:40])
    assert running.current() == ring
    path.write_text(content)
    key = rotate(path)
    assert running.current().newest("pepper") == key


def test_the_newest_key_is_never_taken_out() -> None:
    ring = keys.generate()
    with pytest.raises(ValueError, match="newest"):
        ring.without(ring.newest("pepper").kid)
    with pytest.raises(KeyError):
        ring.without("nobody's")
