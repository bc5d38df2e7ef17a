"""Access by DICOM tag at scale: matching a study that arrives, a physician's page, saving a rule that matches many.

1,000,000 studies and 2,000 rules, on SQLite and on a real PostgreSQL, through the services that ingestion and pages
ask. The databases fit into memory and are warm.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select, text

from app.config import Settings
from app.domain.permissions import Permission
from app.domain.tag_match import How
from app.models import Study, TagRule, TagRuleMatch, db
from app.schema import migrate
from app.services import tag_keys
from app.services.tag_keys import Wanted
from app.wiring import Services
from bench import archive_years, postgres
from bench.bulk import services_of
from bench.worklist import database

ROUNDS = 200
FREQUENT = "Moreno^Ludwig"  # performs one study in twenty
VIEW = Permission.VIEW | Permission.REPORT


def keyed(engine: Engine) -> None:
    """The keys of every study's tags, as ``tag_matching.fill`` makes them, but in bulk."""
    with engine.connect() as connection:
        connection.execute(text(f"UPDATE study SET performing_physician = '{FREQUENT}' WHERE id % 20 = 0"))  # noqa: S608
        connection.execute(text("UPDATE study SET tag_keys_at = stable_at"))
        connection.commit()
        raw: Any = connection.connection.driver_connection
        if engine.dialect.name == "sqlite":
            raw.executemany("INSERT INTO study_tag_key (key, study_id) VALUES (?, ?)", _keys(connection))
        else:
            rows = list(_keys(connection))
            with raw.cursor() as cursor, cursor.copy("COPY study_tag_key (key, study_id) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        raw.commit()
    # PostgreSQL keeps statistics by itself, SQLite has none in production either.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        settle = "PRAGMA wal_checkpoint(TRUNCATE)" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"
        connection.execute(text(settle))
    engine.dispose()  # the connections that filled it didn't wait for the disk


def _keys(connection: Any) -> Iterator[tuple[int, int]]:
    columns = [Study.id, *(getattr(Study, name) for name in (tag_keys.NAMES | tag_keys.PLACES).values())]
    known: dict[tuple[Any, ...], set[int]] = {}
    for row in connection.execute(select(*columns)).all():
        values = tuple(row[1:])
        if values not in known:
            names = (tag_keys.NAMES | tag_keys.PLACES).values()
            known[values] = tag_keys.of_study(Study(**dict(zip(names, values, strict=True)), other_tags=""))
        for key in known[values]:
            yield key, row.id


def make_rules(services: Services, count: int) -> list[TagRule]:
    """Rules for physicians who refer studies, and for many who don't."""
    rng = random.Random(7)  # noqa: S311 - names, no secrets
    refer = services.session.scalars(
        select(Study.referring_physician).where(Study.id > services_newest(services) - 5_000).distinct()
    ).all()
    invented = archive_years._invented(count, rng)
    names = [
        *sorted(refer)[:100],
        *(f"{one}^{two}" for one, two in zip(invented, reversed(invented), strict=True)),
    ]
    rules = []
    for number, name in enumerate(names[:count]):
        rules.append(_rule(services, number, name))
    services.session.commit()
    began = time.perf_counter()
    told = -1
    while services.tag_matching.work(at=archive_years.NOW):
        done = count - (
            services.session.scalar(select(func.count()).where(TagRule.match_below.is_not(None))) or 0
        )
        services.session.rollback()
        if done * 20 // count > told:
            told = done * 20 // count
            print(f"\r  {done:,} of {count:,} rules matched", end="", file=sys.stderr, flush=True)
    print(f" in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return rules


def services_newest(services: Services) -> int:
    return services.session.scalar(select(func.max(Study.id))) or 0


def _rule(services: Services, number: int, name: str, tag: str = "ReferringPhysicianName") -> TagRule:
    wanted = Wanted(tag, How.NAME, (name,))
    # Written as rows: nobody types these codes, so none is hashed.
    services.session.execute(
        text(
            "INSERT INTO access_grant (id, ref, kind, policy, permissions, pepper_kid, code_index, password_hash,"
            " issued_at, failures, failures_in_life) VALUES (:id, :ref, 'group', 'code+password', 'view', 'p1',"
            " :index, '$argon2id$', :at, 0, 0)"
        ),
        {
            "id": 10_000_000 + number,
            "ref": f"rule{number:012x}",
            "index": (10**12 + number).to_bytes(32, "big"),
            "at": archive_years.NOW.replace(tzinfo=None),
        },
    )
    rule = TagRule(
        name=name,
        tag=wanted.tag,
        how=wanted.how,
        wanted=tag_keys.kept(wanted.values),
        grant_id=10_000_000 + number,
        made_by="staff:anna",
        made_at=archive_years.NOW,
    )
    services.session.add(rule)
    services.session.flush()
    services.tag_matching.ask(services.session, rule)
    return rule


def timed(
    act: Callable[[Any], object], rounds: int = ROUNDS, *, before: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Median and p99 in milliseconds of what is done with what ``before`` prepares, which isn't timed."""
    took = []
    for _ in range(rounds + 5):
        prepared = before()
        began = time.perf_counter()
        act(prepared)
        took.append((time.perf_counter() - began) * 1000)
    took = sorted(took[5:])
    median, p99 = statistics.median(took), took[int(len(took) * 0.99) - 1]
    return {"median_ms": round(median, 2), "p99_ms": round(p99, 2)}


def measure(services: Services, rules: int) -> dict[str, dict[str, float]]:
    session, at = services.session, archive_years.NOW
    made = make_rules(services, rules)
    busiest = session.execute(
        select(TagRuleMatch.rule_id, func.count().label("n"))
        .group_by(TagRuleMatch.rule_id)
        .order_by(text("n DESC"))
    ).first()
    assert busiest is not None
    frequent = _rule(services, rules + 1, FREQUENT, "PerformingPhysicianName")
    session.commit()
    began = time.perf_counter()
    while services.tag_matching.work(at=at):
        pass
    saved = time.perf_counter() - began
    matches = session.scalar(select(func.count()).where(TagRuleMatch.rule_id == frequent.id)) or 0

    names = [rule.name for rule in made[:100]]
    busy, often = busiest.rule_id, frequent.id
    newest = services_newest(services)
    session.expunge_all()
    rng = random.Random(11)  # noqa: S311
    ids = itertools.count(newest + 1)
    columns = {column.key for column in Study.__mapper__.columns} - {"id", "tag_keys_at"}

    def arriving() -> Study:
        session.commit()
        like = session.get_one(Study, newest - rng.randrange(10_000))
        number = next(ids)
        new = {"id": number, "orthanc_id": f"bench-{number}", "study_instance_uid": f"1.2.3.{number}"}
        study = Study(**{name: getattr(like, name) for name in columns} | new)
        study.referring_physician = rng.choice(names)
        session.add(study)
        session.flush()
        return study

    def changed() -> Study:
        session.commit()
        study = session.get_one(Study, newest - rng.randrange(10_000))
        study.referring_physician = rng.choice(names)
        return study

    def match(study: Study) -> None:
        services.tag_matching.of_study(session, study, at=at)
        session.flush()

    def page(rule_id: int, words: str = "") -> Callable[[Any], object]:
        def look(_nothing: None) -> None:
            services.rule_studies.page(session.get_one(TagRule, rule_id), text=words, at=at)
            session.rollback()
            session.expunge_all()

        return look

    wanted = Wanted("PerformingPhysicianName", How.NAME, (FREQUENT,))
    figures = {
        "an arriving study matched": timed(match, before=arriving),
        "a study whose tag changed matched": timed(match, before=changed),
        "its commit": timed(lambda _study: session.commit(), before=lambda: match(changed())),
        f"a page of {matches:,} studies": timed(page(often)),
        f"a page of {busiest.n:,} studies": timed(page(busy)),
        "a search in it, common name": timed(page(often, "garcia")),
        "a search in it, two words": timed(page(often, "ct garcia")),
        "a search in it, rare name": timed(page(often, "quispequanca")),
        "a search in it, frequent word": timed(page(often, "ct")),
        "a preview of it": timed(lambda _nothing: services.tag_rules.preview(wanted), 20),
        f"a rule saved that matches {matches:,}": {"seconds": round(saved, 2)},
    }
    session.rollback()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 studies and 200 rules")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    chosen = parser.parse_args()
    size, rules = (20_000, 200) if chosen.quick else (1_000_000, 2_000)
    results: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name, postgres.server() as server:
        os.environ.update(STUDYKEY_MODE="test", STUDYKEY_INSTANCE=name)
        base = Settings.from_env()
        for kind in [chosen.only] if chosen.only else ["sqlite", "postgresql"]:
            with database(kind, Path(name), server, size) as url:
                settings = base.with_(database_url=url)
                migrate(settings)
                with services_of(settings) as services:
                    archive_years.fill(db.engine, size)
                    keyed(db.engine)
                    print(f"{kind}: {size:,} studies, {rules:,} rules", flush=True)
                    results[kind] = measure(services, rules)
                    for what, figures in results[kind].items():
                        told = ", ".join(f"{name} {value:,}" for name, value in figures.items())
                        print(f"  {what:45}{told}", flush=True)
    print(json.dumps({"studies": size, "rules": rules, "results": results}))


if __name__ == "__main__":
    main()
