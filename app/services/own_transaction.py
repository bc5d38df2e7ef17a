"""A small transaction of a service's own, beside the page's: what it writes stands whatever becomes of the request.

Fails closed (docs/adr/0003): where the database can't, nobody goes on as if it had.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.services.audit import StoreUnavailable


@contextmanager
def own_transaction(own_session: sessionmaker[Session], failed: str) -> Iterator[Session]:
    """Committed at its end, rolled back by whatever is raised within. Raises StoreUnavailable with the words ``failed``
    where the database can't."""
    try:
        with own_session.begin() as session:
            yield session
    except SQLAlchemyError as error:
        raise StoreUnavailable(failed) from error
