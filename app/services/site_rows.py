"""The rows behind ``services.site`` and ``services.rules``: read once in a transaction, since a page asks for them
several times, and forgotten with it, since another process may change them at any moment."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, select
from sqlalchemy import event as events
from sqlalchemy.orm import Session, SessionTransaction

from app.models import SiteSetting

_READ = "studykey.site_settings"


class Unusable(ValueError):
    """A value that can't be used. ``text`` is a sentence for whoever set it, ``values`` what stands in it."""

    def __init__(self, text: str, **values: object) -> None:
        super().__init__(text % values if values else text)
        self.text = text
        self.values = values


def stored(session: Session) -> Mapping[str, SiteSetting]:
    """Every setting that isn't left at its default, by name."""
    known: dict[str, SiteSetting] | None = session.info.get(_READ)
    if known is None:
        known = {row.name: row for row in session.scalars(select(SiteSetting))}
        session.info[_READ] = known
    return known


def keep(session: Session, row: SiteSetting) -> None:
    session.info.pop(_READ, None)
    session.merge(row)


def drop(session: Session, name: str) -> None:
    """Back to the default."""
    session.info.pop(_READ, None)
    session.execute(delete(SiteSetting).where(SiteSetting.name == name))


@events.listens_for(Session, "after_transaction_end")
def _forget(session: Session, _transaction: SessionTransaction) -> None:
    session.info.pop(_READ, None)
