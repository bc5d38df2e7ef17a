"""The audit trail's head in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.adapters.head_file import HeadFile
from app.domain.audit_chain import Head

HEAD = Head(4711, bytes(range(32)))


def test_a_head_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "audit-head")
    assert file.read() is None

    file.write(Head(1, b""))
    file.write(HEAD)

    assert file.read() == HEAD
    assert [path.name for path in tmp_path.iterdir()] == ["audit-head"]
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_an_error_and_the_old_one_stays(tmp_path: Path) -> None:
    file = HeadFile(tmp_path / "audit-head")
    file.write(HEAD)
    (tmp_path / "audit-head.new").mkdir()

    with pytest.raises(OSError, match="audit-head"):
        file.write(Head(4712, b"\0" * 32))

    assert file.read() == HEAD


@pytest.mark.parametrize("text", ["", "\n", "4711", "x:00", "1:0", "-1:00", "²:00"])
def test_a_file_that_holds_no_head_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit-head").write_text(text)

    with pytest.raises(ValueError, match="."):
        HeadFile(tmp_path / "audit-head").read()
