"""Birth dates: which ones in the images are worth asking for, and how people type theirs."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import birth_date
from app.domain.birth_date import Entry, Mistyped, State
from app.web import i18n

TODAY = date(2026, 11, 20)
STUDY = date(2026, 11, 19)
LANGUAGES = ("en", "es", "fr", "de", "pl", "pt")


def read(day: str, month: str, year: str, language: str = "en") -> date | Mistyped:
    return birth_date.read(Entry(day, month, year), months=i18n._month_names(language), today=TODAY)


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("19580327", State.VALID),
        ("1958.03.27", State.VALID),
        (" 19580327 ", State.VALID),
        ("19000102", State.SUSPECT),  # a real date, but at more than 120 years
        ("19061119", State.VALID),
        ("20261119", State.VALID),  # imaged on the day of birth
        ("20261120", State.SUSPECT),  # imaged before birth
        ("19000101", State.SUSPECT),  # what modalities write when nobody typed a date
        ("18581231", State.SUSPECT),
        ("", State.MISSING),
        ("   ", State.MISSING),
        ("UNKNOWN", State.MISSING),
        ("1958", State.PARTIAL),
        ("195803", State.PARTIAL),
        ("19580000", State.PARTIAL),
        ("19580300", State.PARTIAL),
        ("00000000", State.PARTIAL),
        ("19580231", State.SUSPECT),
        ("99999999", State.SUSPECT),
        ("19580327-19590101", State.SUSPECT),
        ("1958/03/27", State.SUSPECT),
    ],
)
def test_only_a_plausible_birth_date_is_ever_asked_for(value: str, state: State) -> None:
    assert birth_date.judge(value, study_date=STUDY)[0] is state


@given(st.text(max_size=20) | st.from_regex(r"[0-9]{4,9}", fullmatch=True))
def test_a_date_comes_out_when_and_only_when_it_is_valid(value: str) -> None:
    state, born = birth_date.judge(value, study_date=STUDY)
    assert (born is not None) == (state is State.VALID)
    if born is not None:
        assert born <= STUDY


@given(st.dates(date(1906, 1, 1), STUDY), st.sampled_from(LANGUAGES))
def test_every_birth_date_that_is_asked_for_can_be_typed(born: date, language: str) -> None:
    assert birth_date.judge(born.strftime("%Y%m%d"), study_date=STUDY) == (State.VALID, born)
    assert read(str(born.day), str(born.month), str(born.year), language) == born
    assert read(f"{born.day:02}", f"{born.month:02}", f" {born.year} ", language) == born


@given(st.sampled_from(LANGUAGES), st.data())
def test_a_month_is_read_by_its_name_in_the_language_of_the_page(language: str, draw: st.DataObject) -> None:
    name, number = draw.draw(st.sampled_from(sorted(i18n._month_names(language).items())))
    bare = "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
    spelled = draw.draw(
        st.sampled_from([name, bare, unicodedata.normalize("NFD", name), name.rstrip(".") + "."])
    )
    cased = draw.draw(st.sampled_from([spelled, spelled.upper(), spelled.title(), f"  {spelled} "]))
    assert read("3", cased, "1958", language) == date(1958, number, 3)


@pytest.mark.parametrize(
    ("month", "language", "number"),
    [
        ("Sept", "en", 9),
        ("sept.", "en", 9),
        ("Sep", "en", 9),
        ("janv", "fr", 1),
        ("FEVRIER", "fr", 2),
        ("déc.", "fr", 12),
        ("sept", "es", 9),
        ("septiembre", "es", 9),
        ("Marz", "de", 3),
        ("MÄRZ", "de", 3),
        ("Feber", "de", None),
        ("pazdziernik", "pl", 10),
        ("października", "pl", 10),
        ("marco", "pt", 3),
        ("May", "pl", 5),  # an English name on a page of another language
        ("MAYIS", "tr", 5),  # I is the capital of a dotless ı
        ("Aralık", "tr", 12),
        ("ju", "en", None),  # June or July
        ("jui", "fr", None),  # juin or juillet
        ("ma", "en", None),
        ("January February", "en", None),
        ("Foo", "en", None),
        (".", "en", None),
    ],
)
def test_a_month_is_never_guessed_between_two(month: str, language: str, number: int | None) -> None:
    expected = date(1958, number, 3) if number else Mistyped.IMPOSSIBLE
    assert read("3", month, "1958", language) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (("", "", ""), Mistyped.MISSING),
        ((" ", "\u3000", "\t"), Mistyped.MISSING),
        (("", "3", "1958"), Mistyped.DAY_MISSING),
        (("", "", "1958"), Mistyped.DAY_MISSING),
        (("27", "", "1958"), Mistyped.MONTH_MISSING),
        (("27", "3", ""), Mistyped.YEAR_MISSING),
        (("27", "3", "58"), Mistyped.YEAR_NOT_FOUR_DIGITS),  # 1958 or 2058: never guessed
        (("99", "99", "58"), Mistyped.YEAR_NOT_FOUR_DIGITS),
        (("27", "3", "0058"), Mistyped.IMPOSSIBLE),
        (("27", "3", "1858"), Mistyped.IMPOSSIBLE),
        (("1", "1", "1900"), Mistyped.IMPOSSIBLE),  # judged suspect: no grant has it
        (("27", "3", "19580"), Mistyped.IMPOSSIBLE),
        (("27", "3", "-1958"), Mistyped.IMPOSSIBLE),
        (("0", "3", "1958"), Mistyped.IMPOSSIBLE),
        (("27", "0", "1958"), Mistyped.IMPOSSIBLE),
        (("27", "13", "1958"), Mistyped.IMPOSSIBLE),
        (("31", "2", "1958"), Mistyped.IMPOSSIBLE),
        (("29", "2", "1900"), Mistyped.IMPOSSIBLE),
        (("x", "3", "1958"), Mistyped.IMPOSSIBLE),
        (("²", "3", "1958"), Mistyped.IMPOSSIBLE),
        (("27", "3", "2058"), Mistyped.NOT_PAST),
        (("22", "11", "2026"), Mistyped.NOT_PAST),
        (("29", "2", "1960"), date(1960, 2, 29)),
        (("27.", "3.", "1958."), date(1958, 3, 27)),
        (("٢٧", "٣", "١٩٥٨"), date(1958, 3, 27)),
        (("２７", "３", "１９５８"), date(1958, 3, 27)),
        (("27", "3月", "1958"), Mistyped.IMPOSSIBLE),  # on an English page
    ],
)
def test_an_entry_is_a_date_or_says_what_to_put_right(
    typed: tuple[str, str, str], expected: date | Mistyped
) -> None:
    assert read(*typed) == expected


@pytest.mark.parametrize("days", [0, 1])
def test_a_newborn_opens_the_study_of_its_first_day_in_every_time_zone(days: int) -> None:
    born = TODAY + timedelta(days=days)  # UTC's today is already tomorrow's morning in Auckland
    assert birth_date.judge(born.strftime("%Y%m%d"), study_date=born) == (State.VALID, born)
    assert read(str(born.day), str(born.month), str(born.year)) == born


@given(*[st.text(max_size=8) | st.integers(-1, 10_000).map(str)] * 3, st.sampled_from(LANGUAGES))
def test_whatever_is_typed_gives_a_date_or_a_slip_and_never_an_error(
    day: str, month: str, year: str, language: str
) -> None:
    result = read(day, month, year, language)
    assert isinstance(result, date | Mistyped)
