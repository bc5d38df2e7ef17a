"""The words by which the list finds a study: of one that is taken in, and of those from before there were any."""

from __future__ import annotations

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session, sessionmaker

from app.domain import search
from app.models import Study

BATCH = 500  # rows; one write transaction each


def words_of(study: Study) -> str:
    """For ``Study.search_words``."""
    return search.study_words(
        patient_name=study.patient_name,
        texts=[study.patient_id, study.accession_number, study.description, study.modalities],
        physicians=[study.referring_physician],
        study_date=study.study_date,
    )


class SearchWords:
    """Works in transactions of its own."""

    def __init__(self, own_session: sessionmaker[Session]) -> None:
        self._own_session = own_session

    def fill(self) -> int:
        """Give words to some of the studies that have none, the newest first; how many. 0: all have theirs."""
        with self._own_session.begin() as session:
            query = select(Study).where(Study.search_words == "").order_by(Study.id.desc()).limit(BATCH)
            found = [{"one": study.id, "words": words_of(study)} for study in session.scalars(query)]
            if found:
                study = Study.__table__
                session.connection().execute(
                    # Only where there still are none: what was taken in meanwhile knows better.
                    update(study)  # type: ignore[arg-type]
                    .where(study.c.id == bindparam("one"), study.c.search_words == "")
                    .values(search_words=bindparam("words")),
                    found,
                )
        return len(found)
