"""One report that can't be printed holds up nobody else, and whoever prints it is told so in a sentence."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.models import Report
from tests.support.portal import Portal, public_services
from tests.support.staff import another_browser
from tests.web.test_staff_study import signed_in


def test_pages_are_served_while_a_hostile_report_is_refused(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_services(portal.app).renderer, "_seconds", 3.0)  # and not 20
    signed_in(portal)
    staff = portal.services.staff.by_login("anna")
    assert staff is not None
    portal.services.session.add(
        Report(
            study_id=portal.study_id,
            version=1,
            findings="- x\n" * 25_000,
            impression="<style>@import 'x'</style>" * 1_000,
            written_by_id=staff.id,
            saved_at=portal.now,
            signed_at=portal.now,
            signed_by_id=staff.id,
            signed_name=staff.name,
        )
    )
    portal.services.session.commit()
    csrf, elsewhere = portal.csrf, another_browser(portal)

    with ThreadPoolExecutor(1) as pool:
        printed = pool.submit(
            portal.client.post,
            f"/staff/study/{portal.study_id}/report/print",
            data={"csrf_token": csrf},
            base_url=portal.base,
            headers={"Referer": portal.base + "/"},
        )
        slowest = 0.0
        while not printed.done():
            began = time.monotonic()
            assert elsewhere.get("/").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.1)

    answer = printed.result()
    assert answer.status_code >= 400 and "Nothing was changed" in answer.text
    assert slowest < 3
    assert portal.post(f"/staff/study/{portal.study_id}/sheet").status_code == 200
