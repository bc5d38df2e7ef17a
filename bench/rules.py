"""Access by DICOM tag at scale: matching a study that arrives, a physician's page, saving a rule that matches many.

1,000,000 studies and 2,000 rules, on SQLite and on a real PostgreSQL, through the services that ingestion and pages
ask. The databases fit into memory and are warm.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
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
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


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
    while services.tag_matching.work(at=archive_years.NOW):
        pass
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


def timed(act: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """(median, p99) in milliseconds."""
    took = []
    for _ in range(rounds + 5):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    took = sorted(took[5:])
    return statistics.median(took), took[int(len(took) * 0.99) - 1]


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

    names = [rule.name for rule in made]
    newest = services_newest(services)
    rng = random.Random(11)  # noqa: S311

    def arrive() -> None:
        study = session.get_one(Study, newest - rng.randrange(10_000))
        study.referring_physician = rng.choice(names[:100])
        services.tag_matching.of_study(session, study, at=at)
        session.commit()

    def page(rule: TagRule, words: str = "") -> Callable[[], object]:
        rule_id = rule.id

        def look() -> None:
            services.tag_rules.page(session.get_one(TagRule, rule_id), text=words, at=at)
            session.rollback()
            session.expunge_all()

        return look

    figures = {}
    for name, act in {
        "an arriving study matched, committed": arrive,
        f"a page of {matches:,} studies": page(frequent),
        f"a page of {busiest.n:,} studies": page(session.get_one(TagRule, busiest.rule_id)),
        "a search in it, common name": page(frequent, "garcia"),
        "a search in it, rare name": page(frequent, "quispequanca"),
        "a search in it, frequent word": page(frequent, "ct"),
    }.items():
        median, p99 = timed(act)
        figures[name] = {"median_ms": round(median, 2), "p99_ms": round(p99, 2)}
    wanted = Wanted("PerformingPhysicianName", How.NAME, (FREQUENT,))
    median, p99 = timed(lambda: services.tag_rules.preview(wanted), 20)
    figures["a preview of it"] = {"median_ms": round(median, 2), "p99_ms": round(p99, 2)}
    figures[f"a rule saved that matches {matches:,}"] = {"seconds": round(saved, 2)}
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
