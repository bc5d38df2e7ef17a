"""The gate's second table, without an Orthanc: what people and devices with an account may do, and which websites
may call. Roles and passwords are Studykey's business: here a credential has the permissions that the door tells."""

import threading
import time

import pytest

from app.domain.staff import MAY, ORTHANC, Role, acts_of
from tests.domain.test_origins import ALLOWED, PASS, REFUSED
from tests.orthanc_plugin.test_gate import (
    DELETE,
    GET,
    INSTANCE,
    OWN,
    POST,
    PUT,
    SERIES,
    TO_LOOK_AT,
    TO_TAKE_AWAY,
    Door,
    Rig,
    basic,
    door,
    rig,
)

__all__ = ["door", "rig"]
UUID = "12345678-1234-1234-1234-123456789abc"
WEB = "/dicom-web/studies/1.2.3"
ROLES = {role.value: sorted(acts_of([role]) & ORTHANC) for role in Role}
ROLES["admin"] = [*ROLES["admin"], "all"]

# ----------------------------------------------------------------------------------------------------------------
#   permission    method and path
# ----------------------------------------------------------------------------------------------------------------
TABLE = [
    *(("view", GET, path) for path in TO_LOOK_AT),
    *(("download", GET, path) for path in TO_TAKE_AWAY),
    ("view", GET, "/patients"),
    ("view", GET, "/studies?expand&since=0&limit=10"),
    ("view", GET, "/dicom-web/studies?PatientName=A*&limit=5"),
    ("view", GET, "/dicom-web/instances"),
    ("view", GET, f"/patients/{OWN}"),
    ("view", GET, f"/patients/{OWN}/studies"),
    ("view", GET, f"/studies/{OWN}/patient"),
    ("view", GET, f"/studies/{OWN}/metadata"),
    ("view", GET, f"/studies/{OWN}/metadata/LastUpdate"),
    ("view", GET, f"/studies/{OWN}/labels"),
    ("view", GET, f"/series/{SERIES}/study"),
    ("view", GET, f"/instances/{INSTANCE}/content/0010-0010"),
    ("view", GET, "/system"),
    ("view", GET, "/statistics"),
    ("view", GET, "/changes?last"),
    ("view", GET, f"/jobs/{UUID}"),
    ("view", POST, "/tools/find"),
    ("view", POST, "/tools/lookup"),
    ("view", POST, "/tools/count-resources"),
    ("view", POST, "/tools/bulk-content"),
    ("download", GET, f"/patients/{OWN}/archive"),
    ("download", GET, f"/studies/{OWN}/attachments"),
    ("download", GET, f"/series/{SERIES}/numpy"),
    ("download", GET, f"/jobs/{UUID}/archive"),
    ("download", POST, f"/studies/{OWN}/archive"),
    ("download", POST, "/tools/create-archive"),
    ("download", POST, "/tools/create-media"),
    ("upload", POST, "/instances"),
    ("upload", POST, "/dicom-web/studies"),
    ("upload", POST, WEB),
    ("modify", POST, f"/studies/{OWN}/modify"),
    ("modify", POST, f"/instances/{INSTANCE}/modify"),
    ("modify", POST, f"/studies/{OWN}/merge"),
    ("modify", POST, f"/studies/{OWN}/split"),
    ("modify", PUT, f"/studies/{OWN}/metadata/1024"),
    ("modify", POST, "/tools/create-dicom"),
    ("modify", POST, "/tools/bulk-modify"),
    ("anonymize", POST, f"/studies/{OWN}/anonymize"),
    ("anonymize", POST, "/tools/bulk-anonymize"),
    ("edit-labels", PUT, f"/studies/{OWN}/labels/teaching"),
    ("edit-labels", DELETE, f"/studies/{OWN}/labels/teaching"),
    ("send", POST, "/modalities/pacs/store"),
    ("send", POST, "/modalities/pacs/store-straight"),
    ("send", POST, "/peers/other/store"),
    ("send", POST, "/dicom-web/servers/other/stow"),
    ("send", GET, "/modalities?expand"),
    ("send", GET, "/dicom-web/servers"),
    ("q-r-remote-modalities", GET, "/modalities"),
    ("q-r-remote-modalities", POST, "/modalities/pacs/echo"),
    ("q-r-remote-modalities", POST, "/modalities/pacs/query"),
    ("q-r-remote-modalities", POST, "/modalities/pacs/move"),
    ("q-r-remote-modalities", POST, "/dicom-web/servers/other/qido"),
    ("q-r-remote-modalities", GET, f"/queries/{UUID}/answers"),
    ("q-r-remote-modalities", POST, f"/queries/{UUID}/retrieve"),
    ("delete", DELETE, f"/patients/{OWN}"),
    ("delete", DELETE, f"/studies/{OWN}"),
    ("delete", DELETE, f"/series/{SERIES}"),
    ("delete", DELETE, f"/instances/{INSTANCE}"),
    ("delete", DELETE, f"/studies/{OWN}/metadata/1024"),
    ("delete", DELETE, f"/instances/{INSTANCE}/attachments/1025"),
    ("delete", DELETE, WEB),
    ("delete", POST, "/tools/bulk-delete"),
    ("settings", GET, "/modalities/pacs/configuration"),
    ("settings", PUT, "/modalities/pacs"),
    ("settings", DELETE, "/peers/other"),
    ("settings", GET, "/peers/other"),
    ("settings", PUT, "/dicom-web/servers/other"),
    ("settings", GET, "/jobs"),
    ("settings", POST, f"/jobs/{UUID}/cancel"),
    ("settings", DELETE, f"/queries/{UUID}"),
    ("settings", DELETE, "/changes"),
    ("settings", GET, "/plugins/explorer.js"),
    ("settings", PUT, "/tools/log-level-http"),
    ("settings", GET, "/tools/metrics-prometheus"),
    ("all", POST, "/tools/execute-script"),
    ("all", POST, "/tools/shutdown"),
    ("all", POST, "/tools/reset"),
    ("all", POST, "/tools/invalidate-tags"),
    ("all", POST, "/tools/metrics"),
    ("all", POST, f"/studies/{OWN}/reconstruct"),
    ("all", PUT, f"/patients/{OWN}/protected"),
    ("all", POST, f"/instances/{INSTANCE}/export"),
    ("all", PUT, "/instances"),
    ("all", PUT, f"/instances/{INSTANCE}/attachments/1025"),
    ("all", GET, "/app/explorer.html"),
    ("all", GET, "/nowhere"),
    ("all", GET, "/"),
    ("all", GET, f"/studies/{OWN}/"),
    ("all", GET, "/STUDIES"),
    ("all", POST, "/tools/find/"),
    ("all", POST, "/tools/create-numpy/x"),
    ("all", DELETE, "/dicom-web/series"),
    ("all", DELETE, "/studies"),
    ("all", DELETE, f"/studies/{OWN}/modify"),
]
IDS = [f"{needs} {method} {path}" for needs, method, path in TABLE]
ALL = ["view", "download", "upload", "modify", "anonymize", "edit-labels", "send", "q-r-remote-modalities", "share",
       "delete", "settings", "audit-logs", "admin-permissions"]  # fmt: skip


@pytest.mark.parametrize(("needs", "method", "path"), TABLE, ids=IDS)
def test_one_permission_opens_what_it_is_for_and_all_others_together_do_not(
    rig: Rig, door: Door, needs: str, method: int, path: str
) -> None:
    either = (
        {"send", "q-r-remote-modalities"}
        if path.startswith(("/modalities", "/dicom-web/servers"))
        else {needs}
    )
    either = either if method == GET and path.count("/") < 3 else {needs}
    door.profiles = {"staff~one": [needs], "staff~others": [one for one in ALL if one not in either]}

    assert rig.request(path, "staff~one", method=method)
    assert not rig.request(path, "staff~others", method=method)


@pytest.mark.parametrize("role", list(ROLES))
def test_each_role_does_what_the_one_table_says(rig: Rig, door: Door, role: str) -> None:
    door.profiles = {"staff~x": ROLES[role]}

    done = [row for row in TABLE if rig.request(row[2], "staff~x", method=row[1])]

    assert done == [row for row in TABLE if row[0] in ROLES[role]]


def test_a_device_may_do_three_things_of_all_these(rig: Rig, door: Door) -> None:
    door.profiles = {"device~ct1": sorted(MAY[Role.DEVICE])}
    allowed = [(method, path) for _, method, path in TABLE if rig.request(path, "device~ct1", method=method)]
    assert allowed == [(POST, "/instances"), (POST, "/dicom-web/studies"), (POST, WEB)]


def test_an_account_without_permissions_and_one_that_nobody_knows_open_nothing(rig: Rig, door: Door) -> None:
    door.profiles = {"staff~empty": []}
    for token in ("staff~empty", "staff~unknown", "device~unknown", "staff~"):
        assert not any(rig.request(path, token, method=method) for _, method, path in TABLE)


def test_a_viewer_token_is_never_asked_about_as_an_account(rig: Rig, door: Door) -> None:
    door.profiles = {"good": ["all", "view"], "xstaff~good": ["all"], "Staff~good": ["all"], "staff": ["all"]}
    for token in door.profiles:
        assert not rig.request("/patients", token)
        assert not rig.request(f"/studies/{OWN}", token, method=DELETE)
    assert door.asked("/user/get-profile") == []


def test_an_accounts_token_is_never_asked_about_as_a_viewer_token(rig: Rig, door: Door) -> None:
    door.granted.add(("staff~x", OWN, "view"))
    assert not rig.request(f"/studies/{OWN}", "staff~x")
    assert door.asked("/tokens/validate") == []


def test_studykey_is_asked_in_the_plugins_words(rig: Rig, door: Door) -> None:
    rig.request("/patients", "staff~x")
    rig.request(f"/studies/{OWN}/archive?token=staff~x", None)
    rig.request("/instances", None, method=POST, authorization=basic("ct1", "pw"))
    asked = [{"server-id": None, "token-key": key, "token-value": value, "address": "127.0.0.1"} for key, value in (
        ("Authorization", "staff~x"), ("token", "staff~x"), ("Authorization", basic("ct1", "pw"))
    )]  # fmt: skip
    assert door.asked("/user/get-profile") == asked


@pytest.mark.parametrize(
    ("method", "path", "opens"),
    [
        (GET, f"/studies/{OWN}/archive?token=staff~x", True),
        (GET, f"/patients/{OWN}/archive?token=staff~x", True),
        (GET, f"{WEB}/series/1.2.3.1/instances/1.2.3.1.1/frames/1?token=staff~x", True),
        (GET, "/patients?token=staff~x", False),
        (GET, f"/studies/{OWN}?token=staff~x", False),
        (GET, "/tools/shutdown?token=staff~x", False),
        (POST, "/instances?token=staff~x", False),
        (DELETE, f"/studies/{OWN}?token=staff~x", False),
    ],
)
def test_a_token_in_an_address_only_fetches_what_links_fetch(
    rig: Rig, door: Door, method: int, path: str, opens: bool
) -> None:
    door.profiles = {"staff~x": [*ALL, "all"]}
    assert rig.request(path, None, method=method) is opens


# Basic credentials.


def test_a_device_may_come_by_password(rig: Rig, door: Door) -> None:
    door.profiles = {basic("ct1", "pw"): ["upload"]}
    for given, opens in ((("ct1", "pw"), True), (("ct1", "wrong"), False), (("", ""), False)):
        assert rig.request("/instances", None, method=POST, authorization=basic(*given)) is opens
        assert not rig.request("/patients", None, authorization=basic(*given))


def test_the_sites_own_clients_are_not_asked_about(rig: Rig, door: Door) -> None:
    assert rig.request("/instances", None, method=POST, authorization=basic("studykey", "secret"))
    assert door.calls == []


def test_endless_credentials_are_not_passed_on(rig: Rig, door: Door) -> None:
    assert not rig.request("/instances", None, method=POST, authorization="Basic " + "x" * 1000)
    assert not rig.request("/instances", None, method=POST, authorization="Bearer staff~" + "x" * 1000)
    assert door.calls == []


@pytest.mark.parametrize("credential", [basic("studykey", "secret"), basic("ct1", "pw")])
@pytest.mark.parametrize(
    ("headers", "post", "get"),
    [
        ({}, True, True),
        ({"sec-fetch-site": "none"}, True, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://archive.example"}, True, True),
        ({"sec-fetch-site": "same-site"}, False, True),
        ({"sec-fetch-site": "same-site", "origin": "https://a.example.org"}, False, True),
        ({"sec-fetch-site": "cross-site"}, False, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://a.example.org"}, False, False),
        ({"origin": "https://attacker.example"}, False, False),
        ({"origin": "null"}, False, False),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, False, False),
    ],
)
def test_a_password_that_a_browser_remembers_is_no_use_to_another_website(
    door: Door, credential: str, headers: dict[str, str], post: bool, get: bool
) -> None:
    rig = Rig(door, AllowedOrigins=ALLOWED)
    door.profiles = {credential: [*ALL, "all"]}
    given = {"authorization": credential, "host": "archive.example", **headers}
    assert rig.request("/instances", None, method=POST, **given) is post
    assert rig.request("/studies", None, method=GET, **given) is get


# Which websites may call.


@pytest.mark.parametrize("origin", PASS)
def test_allowed_websites_may_call(door: Door, origin: str) -> None:
    assert Rig(door, AllowedOrigins=ALLOWED).request(f"/studies/{OWN}", origin=origin)


@pytest.mark.parametrize("origin", REFUSED)
def test_any_other_website_is_refused_whatever_it_brings(door: Door, origin: str) -> None:
    rig = Rig(door, AllowedOrigins=ALLOWED)
    door.profiles = {"staff~x": [*ALL, "all"]}
    for path in (f"/studies/{OWN}", "/ohif/index.html", "/studykey-sign-in"):
        assert not rig.request(path, origin=origin, host="archive.example")
        assert not rig.request(path, "staff~x", origin=origin)
    assert not rig.request(f"/studies/{OWN}", None, authorization=basic("studykey", "secret"), origin=origin)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_orthancs_own_pages_may_call(rig: Rig, scheme: str) -> None:
    assert rig.request(
        f"/studies/{OWN}", origin=f"{scheme}://archive.example:8042", host="archive.example:8042"
    )
    assert not rig.request(
        f"/studies/{OWN}", origin=f"{scheme}://archive.example", host="archive.example:8042"
    )
    assert not rig.request(f"/studies/{OWN}", origin=f"{scheme}://", host="")


def test_behind_a_proxy_that_changes_the_host_the_browsers_word_counts(rig: Rig) -> None:
    own = {"origin": "https://images.clinic.example", "host": "127.0.0.1:8042"}
    assert not rig.request(f"/studies/{OWN}", **own)
    assert rig.request(f"/studies/{OWN}", **own, **{"sec-fetch-site": "same-origin"})


@pytest.mark.parametrize(
    "pattern",
    ["*", "https://*", "https://*.org", "https://*.1.2.3", "https://a.*.org", "https://.*", "https://(a|b).org",
     "https://a.example.org/", "https://a.example.org|.*", "HTTPS://A.ORG", "", 7, None],
)  # fmt: skip
def test_a_pattern_that_is_none_is_left_out_and_said(door: Door, pattern: object) -> None:
    rig = Rig(door, AllowedOrigins=[pattern, "https://*.example.org"])
    assert any("AllowedOrigins" in line and "left out" in line for line in rig.orthanc.log)
    for origin in ("https://a.org", "https://attacker.example", "https://1.1.2.3", "https://a.b.org"):
        assert not rig.request(f"/studies/{OWN}", origin=origin)
    assert rig.request(f"/studies/{OWN}", origin="https://a.example.org")


# Answers.


def test_a_profile_is_kept_for_its_validity(rig: Rig, door: Door) -> None:
    door.validity = 1
    door.profiles = {"staff~x": ["view", "delete"]}
    assert rig.request("/patients", "staff~x")
    door.profiles = {}
    assert rig.request(f"/studies/{OWN}", "staff~x", method=DELETE)
    assert len(door.calls) == 1
    time.sleep(1.05)
    assert not rig.request("/patients", "staff~x")


def test_requests_that_come_at_once_ask_once(rig: Rig, door: Door) -> None:
    """A device sends on several connections: its password is compared once, not ten times."""
    door.validity, door.delay_seconds = 5, 0.2
    door.profiles = {basic("ct1", "pw"): ["upload"]}
    answers: list[bool] = []

    def store() -> None:
        answers.append(rig.request("/instances", None, method=POST, authorization=basic("ct1", "pw")))

    threads = [threading.Thread(target=store) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 10
    assert len(door.calls) == 1


def test_whoever_tries_passwords_does_not_hold_up_the_tokens(rig: Rig, door: Door) -> None:
    door.delay_seconds, door.validity = 0.3, 5
    threads = [
        threading.Thread(
            target=lambda n=n: rig.request("/instances", None, method=POST, authorization=basic("x", str(n)))
        )
        for n in range(30)
    ]
    for thread in threads:
        thread.start()
    door.profiles = {"staff~x": ["view"]}
    assert rig.request("/patients", "staff~x")
    assert rig.request(f"/studies/{OWN}")
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"null", b"[]", b"{", b"\xff", b"[" * 60_000, b'{"granted": true, "validity": 5}',
        b'{"permissions": "view", "authorized-labels": ["*"], "validity": 5}',
        b'{"permissions": {"view": 1}, "authorized-labels": ["*"], "validity": 5}',
        b'{"permissions": ["view"], "authorized-labels": "*", "validity": 5}',
        b'{"permissions": ["view"], "authorized-labels": ["ct"], "validity": 5}',
        b'{"permissions": ["view"], "authorized-labels": [], "validity": 5}',
        b'{"permissions": ["view"], "validity": 5}',
        b'{"permissions": [["view"]], "authorized-labels": ["*"], "validity": 5}',
        b'{"permissions": ["VIEW", "view ", null], "authorized-labels": ["*"], "validity": 5}',
        b'{"permissions": ["view"], "authorized-labels": ["*"]}',
        b'{"permissions": ["view"], "authorized-labels": ["*"], "validity": -1}',
        b'{"permissions": ["view"], "authorized-labels": ["*"], "validity": true}',
        b'{"permissions": ["view"], "authorized-labels": ["*"], "validity": 1.5}',
    ],
)  # fmt: skip
def test_only_a_clear_profile_opens_anything(rig: Rig, door: Door, answer: bytes) -> None:
    door.answer = answer
    assert not rig.request("/patients", "staff~x")


def test_a_silent_or_failing_studykey_opens_nothing(rig: Rig, door: Door) -> None:
    door.profiles = {"staff~x": ["view"]}
    door.status = 503
    assert not rig.request("/patients", "staff~x")
    door.status, door.delay_seconds = 200, 1.5
    started = time.monotonic()
    assert not rig.request("/patients", "staff~y")
    assert time.monotonic() - started < 1.2


def test_no_credential_is_ever_logged(rig: Rig, door: Door) -> None:
    door.status = 500
    rig.request("/patients", "staff~s3cret")
    rig.request("/instances", None, method=POST, authorization=basic("ct1", "s3cret"))
    assert not any(
        secret in line for line in rig.orthanc.log for secret in ("s3cret", basic("ct1", "s3cret")[6:])
    )
