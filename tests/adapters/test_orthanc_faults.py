"""An archive that misbehaves: Studykey says so in its own words, and never takes a fault for an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.adapters import orthanc as adapter
from app.adapters import orthanc_http
from app.adapters.orthanc import PROBES, ArchiveUnreachable, Orthanc
from app.domain.study import GateState, Picture
from tests.adapters.http_stub import Answer, Stub, serving
from tests.conftest import ARCHIVE

# The gate, asked without a token.


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((403, 403, 403), GateState.GUARDED),
        ((401, 401, 401), GateState.GUARDED),
        ((200, 403, 403), GateState.OPEN),
        ((403, 200, 403), GateState.OPEN),
        ((403, 403, 200), GateState.OPEN),
        ((500, 500, 200), GateState.OPEN),  # a fault at one door doesn't hide that another is open
        ((404, 200, 404), GateState.OPEN),
        ((404, 404, 404), GateState.UNREACHABLE),  # no Orthanc at this address
        ((403, 404, 403), GateState.UNREACHABLE),  # the gate refuses what doesn't exist, too
        ((500, 500, 500), GateState.UNREACHABLE),
        ((403, 403, 502), GateState.UNREACHABLE),
        ((301, 301, 301), GateState.UNREACHABLE),
        ((307, 403, 403), GateState.UNREACHABLE),
        ((429, 429, 429), GateState.UNREACHABLE),
    ],
)
def test_a_gate_counts_as_closed_only_when_every_probe_is_refused(
    stub: Stub, orthanc: Orthanc, statuses: tuple[int, ...], expected: GateState
) -> None:
    by_path = {probe.split("?")[0]: status for probe, status in zip(PROBES, statuses, strict=True)}
    stub.answer = lambda asked: Answer(by_path[asked.path], headers={"Location": "/elsewhere"})
    assert orthanc.gate_state() is expected


def test_the_probe_brings_nobodys_credentials(
    stub: Stub, orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login operator password secret-of-the-operator\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    stub.always(Answer(403))
    with pytest.raises(ArchiveUnreachable):
        orthanc.changes(since=0)  # with credentials, so that a kept session has them
    stub.asked.clear()
    assert orthanc.gate_state() is GateState.GUARDED
    assert [asked.user for asked in stub.asked] == [None] * len(PROBES)


def test_neither_probe_nor_call_goes_through_the_proxy_of_the_environment(
    stub: Stub, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    stub.always(Answer(403))
    assert orthanc.gate_state() is GateState.GUARDED
    stub.routes({"tools/now": Answer(200, b"20261120T093000")})
    assert orthanc.now() == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def test_an_archive_that_is_down_is_unreachable_and_no_error() -> None:
    assert Orthanc(ARCHIVE).gate_state() is GateState.UNREACHABLE  # nothing listens on port 9


def test_an_archive_that_never_answers_is_unreachable(
    stub: Stub, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PROBE_TIMEOUT_SECONDS", (0.2, 0.2))  # the same wait, sooner over
    monkeypatch.setattr(orthanc_http, "TIMEOUT_SECONDS", (0.2, 0.2))
    release = threading.Event()
    stub.always(Answer(hold=release))
    try:
        assert orthanc.gate_state() is GateState.UNREACHABLE
        with pytest.raises(ArchiveUnreachable, match="archive main: ReadTimeout"):
            orthanc.exists("s1")
    finally:
        release.set()


# Every call, against everything that is no answer of an Orthanc.

CALLS: dict[str, Callable[[Orthanc], object]] = {
    "now": lambda orthanc: orthanc.now(),
    "changes": lambda orthanc: orthanc.changes(since=0),
    "studies": lambda orthanc: list(orthanc.studies()),
    "exists": lambda orthanc: orthanc.exists("s1"),
    "study": lambda orthanc: orthanc.study("s1"),
    "series": lambda orthanc: orthanc.series("s1"),
    "studies_with_uid": lambda orthanc: orthanc.studies_with_uid("1.2.3"),
}
NO_ANSWERS = {
    "redirect": Answer(302, headers={"Location": "/app/explorer.html"}),
    "unauthorised": Answer(401),
    "refused": Answer(403),
    "fault": Answer(500, b'{"HttpError": "Internal Server Error"}'),
    "bad gateway": Answer(502, b"<html>bad gateway</html>"),
}
GARBAGE = {
    "a page": Answer(200, b"<!doctype html><title>Sign in to the network</title>"),
    "nothing": Answer(200),
    "no text": Answer(200, b"\xff\xfe\x00"),
    "a string": Answer.json("hello"),
    "a number": Answer.json(7),
    "numbers": Answer.json([1, 2]),
    "strangers": Answer.json([{"name": "x"}]),
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_refusal_or_fault_is_an_unreachable_archive(
    stub: Stub, orthanc: Orthanc, call: Callable[[Orthanc], object], answer: Answer
) -> None:
    stub.always(answer)
    with pytest.raises(ArchiveUnreachable) as caught:
        call(orthanc)
    assert caught.value.archive == "main"
    assert "127.0.0.1" not in str(caught.value)
    assert ARCHIVE.password not in str(caught.value)


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("name", sorted(set(CALLS) - {"exists", "studies_with_uid"}))
def test_garbage_is_never_taken_for_an_archives_answer(
    stub: Stub, orthanc: Orthanc, name: str, answer: Answer
) -> None:
    stub.always(answer)
    with pytest.raises(ArchiveUnreachable):
        CALLS[name](orthanc)


@pytest.mark.parametrize("name", ["now", "changes", "studies", "studies_with_uid"])
def test_a_server_without_the_call_is_not_an_archive_without_studies(
    stub: Stub, orthanc: Orthanc, name: str
) -> None:
    # Taken for an empty archive, it would close every patient's study; without a clock, the whole
    # backlog would get grants.
    stub.always(Answer(404))
    with pytest.raises(ArchiveUnreachable):
        CALLS[name](orthanc)


def test_an_archives_password_is_never_sent_where_it_redirects_to(stub: Stub, orthanc: Orthanc) -> None:
    with serving() as elsewhere:
        stub.always(Answer(307, headers={"Location": elsewhere.url}))
        for call in CALLS.values():
            with pytest.raises(ArchiveUnreachable):
                call(orthanc)
        assert orthanc.rendered(Picture("i1", 0), size=768, quality=80) is None
        assert elsewhere.asked == []
