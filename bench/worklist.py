"""How long the list of studies takes: its first page and three searches, at 1,000, 100,000 and 1,000,000 studies.

On SQLite and on a real PostgreSQL, through the service that the page asks, with everything that the rows show. The
databases fit into memory and are warm, as after a morning's work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from app.config import Settings
from app.models import db
from app.schema import migrate
from app.services.study_search import State, Wanted
from app.wiring import Services
from bench import archive_years, postgres
from bench.bulk import services_of

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 100
QUERIES = {
    "first page": Wanted(),
    "rare name, given first": Wanted(text="xiomara quispequanca"),
    "common name": Wanted(text="garcia maria"),
}
# Not the ones that count, but those that a plan can get wrong.
OTHERS = {
    "one letter and a name": Wanted(text="m quispequanca"),
    "frequent word": Wanted(text="ct"),
    "a year long past": Wanted(text="2023"),
    "a year in accession numbers": Wanted(text="2022-0"),
    "month": Wanted(text="2026-06"),
    "drafts": Wanted(state=State.DRAFT),
    "suspended": Wanted(state=State.SUSPENDED),
    "expiring": Wanted(state=State.EXPIRING),
    "not printed": Wanted(state=State.NOT_PRINTED),
    "name, not printed": Wanted(text="garcia", state=State.NOT_PRINTED),
    "rare modality": Wanted(modality="PT"),
    "no birth date": Wanted(state=State.NO_BIRTH_DATE),
    "nobody": Wanted(text="zzyzx"),
}


def queries(size: int, *, others: bool) -> dict[str, Wanted]:
    # Accession numbers of some of the oldest studies; they begin with a year.
    year = (archive_years.NOW - timedelta(days=(size - 900) / archive_years.A_DAY)).year
    return QUERIES | {"accession number": Wanted(text=f"{year}-00009")} | (OTHERS if others else {})


def measure(services: Services, wanted: Wanted) -> tuple[float, float, int]:
    """(median, p99) in milliseconds and the number of rows of the page."""
    took = []
    for _ in range(ROUNDS + 5):
        began = time.perf_counter()
        page = services.worklist.page(wanted, at=archive_years.NOW)
        took.append((time.perf_counter() - began) * 1000)
        services.session.rollback()
        services.session.expunge_all()
    took = sorted(took[5:])  # the first ones fill caches and prepare statements
    return statistics.median(took), took[int(len(took) * 0.99) - 1], len(page.rows)


@contextmanager
def database(kind: str, folder: Path, server: str, size: int) -> Iterator[str]:
    if kind == "sqlite":
        file = folder / f"{size}.db"
        yield f"sqlite:///{file}"
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        return
    name = f"bench_{size}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def run(kinds: list[str], sizes: list[int], *, others: bool) -> dict[str, dict[str, dict[str, float]]]:
    figures: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name, postgres.server() as server:
        folder = Path(name)
        os.environ.update(STUDYKEY_MODE="test", STUDYKEY_INSTANCE=name)
        base = Settings.from_env()
        for kind in kinds:
            for size in sizes:
                with database(kind, folder, server, size) as url:
                    settings = base.with_(database_url=url)
                    began = time.monotonic()
                    migrate(settings)
                    with services_of(settings) as services:
                        archive_years.fill(db.engine, size)
                        print(
                            f"{kind}: {size:,} studies, made in {time.monotonic() - began:.0f} s", flush=True
                        )
                        for query, wanted in queries(size, others=others).items():
                            median, p99, rows = measure(services, wanted)
                            figures.setdefault(f"{kind}, {query}", {})[str(size)] = {
                                "median_ms": round(median, 2),
                                "p99_ms": round(p99, 2),
                                "rows": rows,
                            }
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--on", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    parser.add_argument("--others", action="store_true", help="also what a plan can get wrong")
    asked = parser.parse_args()
    figures = run(asked.on, asked.sizes, others=asked.others)
    last = [str(size) for size in asked.sizes[-2:]]
    print(f"\n{'median / p99 in ms':44}" + "".join(f"{size:>20,}" for size in asked.sizes) + f"{'ratio':>9}")
    ratios = {}
    for name, by_size in figures.items():
        ratios[name] = round(by_size[last[-1]]["median_ms"] / by_size[last[0]]["median_ms"], 2)
        cells = [f"{one['median_ms']:.1f} / {one['p99_ms']:.1f}" for one in by_size.values()]
        print(f"{name:44}" + "".join(f"{cell:>20}" for cell in cells) + f"{ratios[name]:9.2f}")
    print(json.dumps({"benchmark": "worklist", "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
