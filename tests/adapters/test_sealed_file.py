"""Sealed files: nothing of them is given out before it was found whole, under the right passphrase."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import pytest

from app.adapters import sealed_file
from app.adapters.sealed_file import Unreadable, WeakPassphrase

PASSPHRASE = "correct horse battery staple"
# Random, so that gzip leaves it as long: several frames.
CONTENT = secrets.token_bytes(300_000)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "MEMORY_KIB", 64)


def sealed(path: Path, content: bytes = CONTENT) -> Path:
    with sealed_file.create(path, PASSPHRASE) as out:
        for start in range(0, len(content), 9_999):
            out.write(content[start : start + 9_999])
    return path


def read(path: Path, passphrase: str = PASSPHRASE) -> bytes:
    with sealed_file.opened(path, passphrase) as clear:
        return clear.read()


@pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
def test_what_was_sealed_comes_back(tmp_path: Path, size: int) -> None:
    path = sealed(tmp_path / "b", CONTENT[:size])
    assert read(path) == CONTENT[:size]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_shows_nothing_of_its_content(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b", b"Muster^Erika" * 1000)
    assert b"Muster" not in path.read_bytes()


def test_another_passphrase_opens_nothing(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    with pytest.raises(Unreadable, match=r"The passphrase is wrong"):
        read(path, "correct horse battery stable")


def test_the_same_passphrase_typed_on_another_keyboard_opens_it(tmp_path: Path) -> None:
    with sealed_file.create(tmp_path / "b", "contrase\u00f1a larga") as out:
        out.write(b"x")
    assert read(tmp_path / "b", "contrasen\u0303a larga") == b"x"


@pytest.mark.parametrize("place", [0, 5, 30, 100, 170, 5_000, 65_800, 150_000, 300_000, -1])
def test_one_changed_byte_is_noticed(tmp_path: Path, place: int) -> None:
    path = sealed(tmp_path / "b")
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)
    with pytest.raises(Unreadable):
        read(path)


@pytest.mark.parametrize("kept", [0, 10, 60, 190, 1_000, 66_000, 200_000, 300_000])
def test_a_file_cut_short_is_noticed(tmp_path: Path, kept: int) -> None:
    path = sealed(tmp_path / "b")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Unreadable):
        read(path)


def _frames(content: bytes) -> tuple[bytes, list[bytes]]:
    start = content.index(b"\n", len(sealed_file.MAGIC)) + 1
    head, rest, frames = content[:start], content[start:], []
    while rest:
        size = 4 + int.from_bytes(rest[:4], "big")
        frames.append(rest[:size])
        rest = rest[size:]
    return head, frames


def test_frames_that_are_missing_moved_or_added_are_noticed(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    head, frames = _frames(path.read_bytes())
    assert len(frames) == 5
    for wrong in (frames[:-1], frames[1:], frames[:1] + frames[2:], frames[::-1], [*frames, frames[-1]],
                  [frames[0], frames[2], frames[1], *frames[3:]], []):  # fmt: skip
        path.write_bytes(head + b"".join(wrong))
        with pytest.raises(Unreadable):
            read(path)


def test_a_forged_header_cannot_ask_for_all_the_memory(tmp_path: Path) -> None:
    path = sealed(tmp_path / "b")
    path.write_bytes(path.read_bytes().replace(b'"memory_kib": 64', b'"memory_kib": 1000000000'))
    with pytest.raises(Unreadable, match="damaged"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", sealed_file.MAGIC, sealed_file.MAGIC + b"[1]\n"])
def test_something_else_is_no_backup(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(Unreadable, match=r"\.$"):
        read(tmp_path / "b")


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        sealed(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"mine"


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeakPassphrase, match="12 characters"), sealed_file.create(tmp_path / "b", "x" * 11):
        pass
    assert not (tmp_path / "b").exists()


def test_what_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), sealed_file.create(tmp_path / "b", PASSPHRASE) as out:
        out.write(CONTENT)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
