"""Years of a clinic in a database within a minute: studies with synthetic names, their grants and reports.

Names follow Zipf's law, as real ones do: a few are very common, most are rare. What is stored of a study is made by the
same code as when it is taken in.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy import Engine

from app.domain.search import study_words

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
A_DAY = 500  # studies
# Planted where a search has furthest to go: among the oldest.
RARE = "Quispequanca^Xiomara"
_FAMILIES = (
    "Garcia Rodriguez Martinez Lopez Gonzalez Hernandez Perez Sanchez Ramirez Torres Flores Rivera Gomez Diaz Cruz"
    " Reyes Morales Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Silva Santos Oliveira"
    " Souza Pereira Costa Nowak Kowalski Wiśniewski Dupont Durand Moreau Laurent Simon Michel Nguyen Tran Kim Lee Park"
)
_GIVEN = (
    "Maria Ana Jose Juan Carlos Luis Anna Peter Hans Thomas Michael Sabine Erika Julia Laura Pedro Paula João Miguel"
    " Katarzyna Piotr Jan Agnieszka Marie Pierre Jean Sophie Camille Minh Linh Jiwoo Minsu Layla Omar Fatima Karim"
)
_SYLLABLES = (
    "ka lo mi ren sta vel dor an bri chu fel gar hul iri jon kel lum nor pas qui ros tan ul ver wal xan yor"
)
_EXAMINATIONS = [
    ("CT", "CT thorax with contrast"),
    ("CT", "CT abdomen and pelvis"),
    ("CR", "Chest, two views"),
    ("DX", "Knee, left"),
    ("MR", "MRI head without contrast"),
    ("MR", "Lumbar spine"),
    ("US", "Abdomen"),
    ("MG", "Mammography, both sides"),
    ("CR", "Hand, right"),
    ("CT\\SR", "CT coronary angiography"),
    ("XA", "Angiography"),
    ("PT\\CT", "PET-CT whole body"),
]
_WEIGHTS = [18, 14, 20, 12, 8, 7, 9, 5, 4, 1, 1, 1]


def _invented(count: int, rng: random.Random) -> list[str]:
    return ["".join(rng.choices(_SYLLABLES.split(), k=3)).title() for _ in range(count)]


def studies(count: int) -> Iterator[tuple[list[Any], list[Any] | None, list[Any] | None]]:
    """For each study its row, and rows of its grant and report where it has one; ids ascend with time."""
    rng = random.Random(count)  # noqa: S311 - names, no secrets
    families = _FAMILIES.split() + _invented(20_000, rng)
    given = _GIVEN.split() + _invented(3_000, rng)
    zipf = [[1 / (rank + 8) for rank in range(len(names))] for names in (families, given)]
    batch = 10_000
    for start in range(1, count + 1, batch):
        size = min(batch, count + 1 - start)
        picked = zip(
            rng.choices(families, zipf[0], k=size),
            rng.choices(given, zipf[1], k=size),
            rng.choices(_EXAMINATIONS, _WEIGHTS, k=size),
            rng.choices(families[:200], k=size),
            strict=True,
        )
        for number, (family, first, (modalities, description), physician) in enumerate(picked, start):
            name = RARE if number in (20, 21, 22) else f"{family}^{first}"
            yield _one(number, count, name, modalities, description, f"{physician}^Dr", rng)


def _one(
    number: int, count: int, name: str, modalities: str, description: str, physician: str, rng: random.Random
) -> tuple[list[Any], list[Any] | None, list[Any] | None]:
    at = NOW - timedelta(days=(count - number) / A_DAY)
    born = date(1930, 1, 2) + timedelta(days=rng.randrange(30_000))
    is_born = rng.random() > 0.03
    patient_id, accession = f"P{rng.randrange(3_000_000):07}", f"{at.year}-{number:07}"
    words = study_words(
        patient_name=name,
        texts=[patient_id, accession, description, modalities],
        physicians=[physician],
        study_date=at.date(),
    )
    moment = at.replace(tzinfo=None).isoformat(" ", "microseconds")
    study = [
        *(number, 1, f"bench-{number}", f"1.2.826.0.1.3680043.2.1125.{number}", patient_id, name),
        *(
            born.strftime("%Y%m%d"),
            born.isoformat() if is_born else None,
            "valid" if is_born else "missing",
            "F",
        ),
        *(
            at.date().isoformat(),
            description,
            accession,
            modalities,
            "",
            "Test Clinic",
            physician,
            "",
            "",
            "",
        ),
        *(words, 1 + number % 9, 1 + number % 900, "f", moment, moment),
    ]
    fate = rng.random()
    grant = report = None
    if fate < 0.95:
        ref, ends = (
            f"{number:016x}",
            (at + timedelta(days=90)).replace(tzinfo=None).isoformat(" ", "microseconds"),
        )
        grant = [
            *(
                number,
                ref,
                "patient",
                "code+birth-date",
                "view,report,download",
                number,
                "p1",
                number.to_bytes(32, "big"),
            ),
            *("$argon2id$", moment, ends, moment if fate < 0.8 else None, moment if fate < 0.5 else None),
            *(2 if fate < 0.5 else 0, moment if 0.1 < fate < 0.1005 else None, 0, 0),
        ]
    if fate < 0.85:
        is_signed = fate > 0.002
        report = [number, number, 1, "", "Normal", 1, 1, moment, moment if is_signed else None]
    return study, grant, report


TABLES = {
    "study": (
        "id archive_id orthanc_id study_instance_uid patient_id patient_name birth_date_text birth_date"
        " birth_date_state patient_sex study_date description accession_number modalities body_part"
        " institution_name referring_physician performing_physician reading_physicians"
        " responsible_organization search_words series_count instance_count fingerprint archive_updated_at"
        " stable_at"
    ),
    "access_grant": (
        "id ref kind policy permissions automatic_study_id pepper_kid code_index password_hash issued_at expires_at"
        " printed_at opened_at openings suspended_at failures failures_in_life"
    ),
    "access_grant_study": "grant_id study_id",
    "report": "id study_id version findings impression revision written_by_id saved_at signed_at",
}


def fill(engine: Engine, count: int) -> None:
    """``count`` studies into a database that has today's schema and no rows."""
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        (_into_sqlite if engine.dialect.name == "sqlite" else _into_postgresql)(raw, studies(count))


def _batches(rows: Iterable[tuple[Any, Any, Any]]) -> Iterator[dict[str, Sequence[Sequence[Any]]]]:
    source = iter(rows)
    while batch := list(islice(source, 50_000)):
        grants = [grant for _, grant, _ in batch if grant]
        yield {
            "study": [study for study, _, _ in batch],
            "access_grant": grants,
            "access_grant_study": [(grant[0], grant[0]) for grant in grants],
            "report": [report for _, _, report in batch if report],
        }


_BEFORE = [
    "INSERT INTO archive (id, name, registered_at, change_cursor, gate_state)"
    " VALUES (1, 'main', '2020-01-01 00:00:00', 0, 'guarded')",
    "INSERT INTO staff (id, login, name, roles, failures, added_at)"
    " VALUES (1, 'anna', 'Dr Anna', 'radiologist', 0, '2020-01-01 00:00:00')",
]


def _into_sqlite(raw: sqlite3.Connection, rows: Iterable[tuple[Any, Any, Any]]) -> None:
    """The search index is built once at the end, as a migration does it, not row by row."""
    triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute("PRAGMA synchronous=OFF")
    for statement in _BEFORE:
        raw.execute(statement)
    for batch in _batches(rows):
        for table, values in batch.items():
            columns = TABLES[table].split()
            marks = ", ".join("?" * len(columns))
            raw.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)  # noqa: S608
    raw.execute("INSERT INTO study_search (study_search) VALUES ('rebuild')")
    for _, sql in triggers:
        raw.execute(sql)
    raw.commit()


def _into_postgresql(raw: psycopg.Connection[Any], rows: Iterable[tuple[Any, Any, Any]]) -> None:
    with raw.cursor() as cursor:
        found = cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'study_search'").fetchone()
        assert found is not None
        cursor.execute("DROP INDEX study_search")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for statement in _BEFORE:
            cursor.execute(statement)  # type: ignore[arg-type]
        for batch in _batches(rows):
            for table, values in batch.items():
                columns = ", ".join(TABLES[table].split())
                with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:  # type: ignore[arg-type]
                    for value in values:
                        copy.write_row(value)
        cursor.execute(found[0])
    raw.commit()
    raw.autocommit = True
    raw.execute("VACUUM ANALYZE")
    raw.autocommit = False
