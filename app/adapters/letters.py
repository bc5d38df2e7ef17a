"""What is mailed, as subject, text and HTML: the templates of templates/email in the reader's language.

An environment of its own (adapters.templates): a letter has no request and no session, its language is the
reader's and not the sender's. HTML is escaped, text is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial

from babel import Locale

from app.adapters.templates import environment_of

_environment = lru_cache(maxsize=16)(partial(environment_of, "email"))


@dataclass(frozen=True)
class Words:
    """A letter without its address. ``sender``: a name; ``language``: a tag of RFC 5646."""

    sender: str
    language: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class LetterTemplates:
    """Safe to share between threads."""

    def words(self, name: str, *, language: str, sender: str, **context: object) -> Words:
        """The letter ``name`` (a folder: ``share``) in ``language``; English without a catalogue.

        Raises babel.UnknownLocaleError or ValueError for a language that nobody speaks, and
        jinja2.UndefinedError for a context that lacks a value.
        """
        environment = _environment(str(Locale.parse(language)))
        parts = (
            environment.get_template(f"{name}/{part}").render(context)
            for part in ("subject.txt", "body.txt", "body.html")
        )
        return Words(sender, str(environment.globals["lang"]), *parts)
