"""A database full of live grants, made in seconds: only those that somebody will really try are really hashed."""

from __future__ import annotations

import http.client
import os
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date

from sqlalchemy import insert

from app import create_internal_app
from app.config import Settings
from app.domain import access_code
from app.models import Archive, Grant, Study, db, grant_study
from app.schema import migrate
from app.wiring import EXTENSION, Services

BORN = date(1958, 3, 27)
_TEXTS = (
    *("patient_id", "patient_name", "birth_date_text", "patient_sex", "description", "accession_number"),
    *("modalities", "body_part", "institution_name", "referring_physician", "performing_physician"),
    *("reading_physicians", "responsible_organization", "fingerprint"),
)


@contextmanager
def services_of(settings: Settings) -> Iterator[Services]:
    app = create_internal_app(settings)
    with app.app_context():
        services: Services = app.extensions[EXTENSION]
        try:
            yield services
        finally:
            services.renderer.close()
            db.session.remove()
            db.engine.dispose()


def fill(settings: Settings, *, grants: int, real: int) -> list[str]:
    """``grants`` live grants, each with a study; the codes of the ``real`` ones among them."""
    migrate(settings)
    with services_of(settings) as services:
        codes = [access_code.generate(settings.code_symbols) for _ in range(real)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            indexes = list(pool.map(services.crypto.code_indexes, codes))
        at, kid = services.clock(), services.crypto.pepper_kid
        archive = Archive(name="main", registered_at=at)
        services.session.add(archive)
        services.session.flush()
        # Nobody types a password here: one hash serves all rows, and costs each attempt the same.
        password_hash = services.crypto.hash_password(secrets.token_hex(16))
        studies, rows = [], []
        for number in range(1, grants + 1):
            ref = f"{number:016x}"
            index = indexes[number - 1][kid] if number <= real else secrets.token_bytes(32)
            studies.append(
                {
                    **dict.fromkeys(_TEXTS, ""),
                    "id": number,
                    "archive_id": archive.id,
                    "orthanc_id": f"bench-{number}",
                    "study_instance_uid": f"1.2.826.0.1.3680043.2.1125.{number}",
                    "birth_date": BORN,
                    "birth_date_state": "valid",
                    "series_count": 1,
                    "instance_count": 1,
                    "archive_updated_at": at,
                    "stable_at": at,
                }
            )
            rows.append(
                {
                    "id": number,
                    "ref": ref,
                    "kind": "patient",
                    "policy": "code+birth-date",
                    "permissions": "view,report,download",
                    "pepper_kid": kid,
                    "code_index": index,
                    "password_hash": password_hash,
                    "birth_date_mac": services.crypto.birth_date_mac(kid, ref, BORN),
                    "issued_at": at,
                    "expires_at": at + settings.grant_life,
                    "failures": 0,
                    "failures_in_life": 0,
                }
            )
        links = [{"grant_id": row["id"], "study_id": row["id"]} for row in rows]
        for table, values in ((Study, studies), (Grant, rows), (grant_study, links)):
            services.session.execute(insert(table), values)
        services.session.commit()
    return [code.symbols for code in codes]


def free_ports() -> dict[str, str]:
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        ports = [str(probe.getsockname()[1]) for probe in (one, two)]
    return dict(zip(("STUDYKEY_PUBLIC_PORT", "STUDYKEY_INTERNAL_PORT"), ports, strict=True))


def wait_for(port: int) -> None:
    """Raises SystemExit when the door doesn't open within 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The public door didn't start; see the log.")
