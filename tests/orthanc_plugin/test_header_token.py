"""Orthanc Explorer 2 sends its token as a header of its own, ``token``: worth what the same is in Authorization."""

import pytest

from tests.orthanc_plugin.test_gate import DELETE, GET, OWN, POST, Door, Rig, basic, door, rig

__all__ = ["door", "rig"]


def asked(rig: Rig, path: str, *, method: int = GET, **headers: str) -> bool:
    uri, _, query = path.partition("?")
    pairs = (
        {"get": {"token": query.removeprefix("token=")}} if query else {"get": {}} if method == GET else {}
    )
    answer = rig.orthanc.filter(uri, method=method, ip="127.0.0.1", headers=headers, **pairs)
    assert isinstance(answer, bool)
    return answer


def test_an_accounts_token_counts_in_a_header_of_its_own(rig: Rig, door: Door) -> None:
    door.profiles = {"staff~x": ["view", "modify"]}

    assert asked(rig, "/studies", token="staff~x")
    assert asked(rig, f"/studies/{OWN}/modify", method=POST, token="staff~x")
    assert not asked(rig, f"/studies/{OWN}", method=DELETE, token="staff~x")
    assert not asked(rig, "/studies", token="staff~unknown")


def test_a_viewer_token_opens_its_study_and_no_other_there_too(rig: Rig) -> None:
    assert asked(rig, f"/studies/{OWN}", token="good")
    assert not asked(rig, f"/studies/{OWN}", token="bad")
    assert not asked(rig, f"/studies/{OWN}", method=DELETE, token="good")


@pytest.mark.parametrize("token", ["", " ", "Bearer good", "good bad", "good\r\n", "é", "x" * 500])
def test_what_is_no_token_opens_nothing(rig: Rig, token: str) -> None:
    assert not asked(rig, f"/studies/{OWN}", token=token)


def test_beside_another_credential_that_one_decides(rig: Rig, door: Door) -> None:
    door.profiles = {"staff~x": ["all"]}

    assert not asked(rig, "/studies", token="staff~x", authorization="Bearer bad")
    assert not asked(rig, "/studies", token="staff~x", authorization=basic("ct1", "wrong"))
    assert not asked(rig, f"/studies/{OWN}/archive?token=bad", token="good")
