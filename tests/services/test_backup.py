"""Backup and restore: yesterday's paper opens in an empty place; what fails changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from app import create_internal_app, schema
from app.adapters import keys as keys_file
from app.adapters import sealed_file
from app.adapters.sealed_file import Unreadable
from app.config import Settings
from app.domain.staff import Role
from app.models import Base, Study, db
from app.services.backup import LEFT_OUT, Backup, Contents, NotBackedUp
from app.services.proof import Outcome
from app.services.restore import NotRestored, Restore, Schema
from app.services.visits import Ending
from app.wiring import EXTENSION, Services
from tests.support.clock import Clock
from tests.support.databases import Databases
from tests.support.factories import ADDRESS, claim, counts, events, fresh_clinic, paper_of, study_in, visit

PASSPHRASE = "correct horse battery staple"
TOOLS = Schema(schema.migrate, schema.unmake, schema.revisions())


def silent(_what: str, _done: int, _total: int) -> None: ...


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "MEMORY_KIB", 64)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def place(settings: Settings, databases: Databases, tmp_path: Path) -> Iterator[Settings]:
    """An empty place: no database's tables, no keys."""
    with databases.empty() as url:
        yield settings.with_(
            database_url=url, instance=tmp_path / "new", keys_file=tmp_path / "new/keys.json"
        )


def make(services: Services, file: Path, passphrase: str = PASSPHRASE) -> Contents:
    services.session.rollback()
    return services.backup.make(
        file, passphrase, at=services.clock(), actor="staff:test", progress=silent, newest=TOOLS.revisions[0]
    )


def restore(
    place: Settings, file: Path, clock: Clock, passphrase: str = PASSPHRASE, *, force: bool = False
) -> Contents:
    place.keys_file.parent.mkdir(exist_ok=True)
    return Restore(place, TOOLS, move_aside=force).run(file, passphrase, at=clock(), progress=silent)


@pytest.fixture
def there(services: Services, place: Settings, clock: Clock) -> Iterator[Callable[[], Services]]:
    """The restored installation, as other processes have it than the one before."""
    with ExitStack() as stack:

        def enter() -> Services:
            app = create_internal_app(place, clock=clock)
            stack.enter_context(app.app_context())
            restored: Services = app.extensions[EXTENSION]
            stack.callback(db.engine.dispose)
            stack.callback(db.session.remove)
            stack.callback(restored.renderer.close)
            return restored

        yield enter


def test_yesterdays_paper_opens_in_an_empty_place(
    services: Services,
    file: Path,
    place: Settings,
    clock: Clock,
    there: Callable[[], Services],
) -> None:
    study, paper = fresh_clinic(services, patient_name="山田^太郎\u0301 <b>", birth_date_text="19580327")
    services.keys.rotate(keys_file.PURPOSES[:1], at=clock(), actor="x")  # two peppers
    later = paper_of(services, study_in(services))
    services.staff.add(
        login="anna", name="", roles=[Role.DESK], password="long password", at=clock(), actor="x"
    )
    services.session.commit()
    live, key = visit(services, paper)
    token = services.visits.issue_viewer_token(live, study, address=ADDRESS, at=clock())
    contents = make(services, file)
    before, trail = counts(services), events(services)
    study_id, later_id = study.id, later.grant.id
    services.session.rollback()
    clock.forward(minutes=5)

    restore(place, file, clock)

    new = there()
    assert new.settings.database_url != services.settings.database_url
    found = counts(new)
    assert (
        {name: n for name, n in found.items() if name not in LEFT_OUT}
        == contents.rows
        == {name: n for name, n in before.items() if name not in LEFT_OUT}
    )
    assert events(new) == trail
    new.backup.note_restored(contents, at=clock(), actor="x")
    for each in (paper, later):
        assert new.proof.check(claim(each), at=clock()).outcome is Outcome.OPENED
    restored = new.session.scalars(select(Study).where(Study.id == study_id)).one()
    assert restored.patient_name == "山田^太郎\u0301 <b>"
    assert paper_of(new, restored).password == paper.password, "and is printed as before"
    new.session.rollback()
    assert new.staff_sessions.sign_in("anna", "long password", address=ADDRESS, at=clock()) is not None
    # Who was in then is not in now.
    assert new.visits.find(key, at=clock()) is Ending.CLOSED
    assert token.count(".") == 1
    # And the place goes on: rows that come now get numbers of their own.
    new.orthancs.update(services.orthancs)
    assert paper_of(new, study_in(new)).grant.id > later_id


def test_a_backup_is_of_one_moment_while_the_clinic_goes_on(services: Services, file: Path) -> None:
    fresh_clinic(services)
    stop = threading.Event()
    kept = services.session.get_bind()
    seen: list[int] = []

    def go_on() -> None:
        while not stop.is_set():
            services.audit.record(_event(), at=services.clock(), actor="x")
            seen.append(1)

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        contents = make(services, file)
    finally:
        stop.set()
        writer.join()
    assert kept is services.session.get_bind()
    assert seen, "nobody waited for the backup"
    assert contents.rows["access_grant"] == 1


def _event():  # type: ignore[no-untyped-def]
    from app.domain.events import Event

    return Event.LOOK_OPENED


def test_the_keys_in_it_are_those_of_the_moment(services: Services, file: Path, clock: Clock) -> None:
    fresh_clinic(services)
    assert make(services, file).ring == keys_file.read(services.settings.keys_file)
    assert Base.metadata.tables.keys() - LEFT_OUT == make(services, file.with_name("second")).rows.keys()


def test_a_file_that_is_there_is_never_overwritten(services: Services, file: Path) -> None:
    file.write_bytes(b"yesterday's")
    with pytest.raises(NotBackedUp, match=r"already"):
        make(services, file)
    assert file.read_bytes() == b"yesterday's"


def test_a_short_passphrase_makes_no_file(services: Services, file: Path) -> None:
    with pytest.raises(ValueError, match="12 characters"):
        make(services, file, "short")
    assert list(file.parent.glob("*backup*")) == []


def nothing_in(place: Settings, databases: Databases) -> bool:
    folder = place.keys_file.parent
    kept = [path for path in folder.iterdir() if path.is_file()] if folder.exists() else []
    if place.database_url.startswith("sqlite"):
        return not kept and not Path(place.database_url.removeprefix("sqlite:///")).exists()
    return not kept and not Restore(place, TOOLS)._has_tables()


def wrong_passphrase(file: Path) -> str:
    return "correct horse battery stable"


def damaged_at_the_end(file: Path) -> str:
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    return PASSPHRASE


def cut_short(file: Path) -> str:
    file.write_bytes(file.read_bytes()[:-100])
    return PASSPHRASE


def not_there(file: Path) -> str:
    file.unlink()
    return PASSPHRASE


@pytest.mark.parametrize("harm", [wrong_passphrase, damaged_at_the_end, cut_short, not_there])
def test_what_cannot_be_read_gives_a_sentence_and_changes_nothing(
    services: Services, file: Path, place: Settings, databases: Databases, clock: Clock,
    harm: Callable[[Path], str],
) -> None:  # fmt: skip
    fresh_clinic(services)
    make(services, file)
    passphrase = harm(file)

    with pytest.raises(Unreadable, match=r"^[A-Z/].*\.$"):
        restore(place, file, clock, passphrase)

    assert nothing_in(place, databases)


def test_a_backup_of_a_newer_studykey_changes_nothing(
    services: Services, file: Path, place: Settings, databases: Databases, clock: Clock
) -> None:
    make(services, file)
    place.keys_file.parent.mkdir()
    older = replace(TOOLS, revisions=["0001"])

    with pytest.raises(NotRestored, match="newer Studykey"):
        Restore(place, older).run(file, PASSPHRASE, at=clock(), progress=silent)

    assert nothing_in(place, databases)


def test_what_fails_half_way_leaves_the_place_empty(
    services: Services, file: Path, place: Settings, databases: Databases, clock: Clock
) -> None:
    fresh_clinic(services)
    make(services, file)
    place.keys_file.parent.mkdir()

    def full(what: str, _done: int, _total: int) -> None:
        if what == "restoring access_grant":
            raise OSError(28, "No space left on device")

    with pytest.raises(NotRestored, match=r"No space left"):
        Restore(place, TOOLS).run(file, PASSPHRASE, at=clock(), progress=full)
    assert nothing_in(place, databases)

    restore(place, file, clock)


def test_an_installation_that_is_there_is_never_overwritten(
    services: Services, file: Path, settings: Settings, clock: Clock
) -> None:
    _, paper = fresh_clinic(services)
    make(services, file)
    before = counts(services)

    with pytest.raises(NotRestored, match=r"already"):
        Restore(settings, TOOLS).run(file, PASSPHRASE, at=clock(), progress=silent)

    assert counts(services) == before
    assert services.proof.check(claim(paper), at=clock()).outcome is Outcome.OPENED


def test_force_moves_what_is_there_aside(
    services: Services, file: Path, place: Settings, clock: Clock
) -> None:
    _, paper = fresh_clinic(services)
    make(services, file)
    if not place.database_url.startswith("sqlite"):
        place = place.with_(database_url=f"sqlite:///{place.keys_file.parent}/studykey.db")
    restore(place, file, clock)
    first = place.keys_file.read_bytes()
    with pytest.raises(NotRestored, match="--force"):
        restore(place, file, clock)

    restore(place, file, clock, force=True)

    (aside,) = place.keys_file.parent.glob("keys.json.before-restore-*")
    assert aside.read_bytes() == first
    database = Path(place.database_url.removeprefix("sqlite:///"))
    assert len(list(database.parent.glob(f"{database.name}.before-restore-*"))) == 1


def test_where_studykey_runs_nothing_is_restored_even_by_force(
    services: Services, file: Path, settings: Settings, clock: Clock
) -> None:
    if not settings.database_url.startswith("sqlite"):
        pytest.skip("in PostgreSQL, tables that are there are refused in any case")
    make(services, file)
    services.leases.acquire("follower", lasts=timedelta(seconds=30), at=clock())

    with pytest.raises(NotRestored, match="Studykey is running here"):
        Restore(settings, TOOLS, move_aside=True).run(file, PASSPHRASE, at=clock(), progress=silent)


def test_a_clinic_moves_from_one_kind_of_database_to_the_other(
    services: Services, file: Path, place: Settings, clock: Clock, tmp_path: Path
) -> None:
    """On SQLite: within it; on PostgreSQL: to SQLite. The other way is the drill's, and the table dump's."""
    _, paper = fresh_clinic(services)
    contents = make(services, file)
    small = place.with_(database_url=f"sqlite:///{tmp_path}/small.db")
    restore(small, file, clock)

    app = create_internal_app(small, clock=clock)
    with app.app_context():
        new: Services = app.extensions[EXTENSION]
        assert isinstance(new.backup, Backup)
        assert {name: n for name, n in counts(new).items() if name not in LEFT_OUT} == contents.rows
        assert new.proof.check(claim(paper), at=clock()).outcome is Outcome.OPENED
        db.session.remove()
        db.engine.dispose()
    new.renderer.close()
