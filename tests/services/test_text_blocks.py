"""Text blocks: the clinic's and one's own, saved together or not at all, nobody's words lost unseen."""

from __future__ import annotations

import pytest

from app.models import AuditEvent, Staff, TextBlock
from app.services.text_blocks import MOST, BlocksUnusable, Change, Saved, version
from app.wiring import Services
from tests.support.factories import rows
from tests.support.staff import person


def save(services: Services, owner: Staff | None, *changes: Change) -> Saved:
    return services.text_blocks.save(owner, changes, at=services.clock(), actor="staff:root")


def paste(services: Services, owner: Staff | None, text: str, *, replaces: bool = False) -> Saved:
    return services.text_blocks.paste(owner, text, replaces=replaces, at=services.clock(), actor="staff:root")


def clinics(services: Services) -> dict[str, str]:
    return {one.letters: one.text for one in services.text_blocks.owned(None)}


def block(services: Services, owner: Staff | None, letters: str) -> TextBlock:
    return next(one for one in services.text_blocks.owned(owner) if one.letters == letters)


def refused(services: Services, owner: Staff | None, *changes: Change) -> dict[tuple[int, str], str]:
    with pytest.raises(BlocksUnusable) as unusable:
        save(services, owner, *changes)
    return {place: str(problem) for place, problem in unusable.value.problems.items()}


def test_own_blocks_stand_over_the_clinics_and_others_see_nothing_of_them(services: Services) -> None:
    anna, bert = person(services, "anna"), person(services, "bert")
    paste(services, None, "nl\tLungs clear.\nns\tSpleen normal.")
    paste(services, anna, "nl\tNo nodule.")

    assert services.text_blocks.of(anna) == {"nl": "No nodule.", "ns": "Spleen normal."}
    assert services.text_blocks.of(bert) == {"nl": "Lungs clear.", "ns": "Spleen normal."}


def test_letters_are_folded_and_the_same_twice_is_refused(services: Services) -> None:
    saved = save(services, None, Change(None, " NLung ", "a"), Change(None, "", ""), Change(None, "Ｒ2", "b"))
    assert saved.added == ["nlung", "r2"]
    assert refused(services, None, Change(None, "nlUNG", "c")) == {
        (0, "letters"): "Another block has these letters."
    }
    assert len(refused(services, None, Change(None, "x", "1"), Change(None, "X", "2"))) == 2
    assert set(clinics(services)) == {"nlung", "r2"}


@pytest.mark.parametrize(
    ("letters", "text", "field"),
    [
        ("", "x", "letters"),
        ("a b", "x", "letters"),
        ("é", "x", "letters"),
        ("a" * 17, "x", "letters"),
        ("a", " \n", "text"),
    ]
    + [("a", "x" * 5_001, "text"), ("~1", "x", "letters")],
)
def test_what_cannot_be_kept_is_told_at_its_field_and_nothing_is_saved(
    services: Services, letters: str, text: str, field: str
) -> None:
    problems = refused(services, None, Change(None, "good", "x"), Change(None, letters, text))
    assert list(problems) == [(1, field)]
    assert services.text_blocks.owned(None) == []


def test_two_blocks_can_swap_their_letters(services: Services) -> None:
    paste(services, None, "a\tone\nb\ttwo")
    a, b = block(services, None, "a"), block(services, None, "b")
    save(services, None, Change(a.id, "b", "one"), Change(b.id, "a", "two"))
    assert clinics(services) == {"b": "one", "a": "two"}


def test_letters_of_a_deleted_block_are_free_at_once(services: Services) -> None:
    paste(services, None, "a\tone")
    saved = save(
        services,
        None,
        Change(block(services, None, "a").id, "a", "one", is_deleted=True),
        Change(None, "a", "new"),
    )
    assert (saved.deleted, saved.added) == (["a"], ["a"])
    assert clinics(services) == {"a": "new"}


def test_a_block_left_alone_keeps_what_somebody_else_made_of_it(services: Services) -> None:
    paste(services, None, "a\tone\nb\ttwo")
    a, b = block(services, None, "a"), block(services, None, "b")
    seen = version("a", "one")
    save(services, None, Change(a.id, "a", "theirs", seen))

    save(services, None, Change(a.id, "a", "one", seen), Change(b.id, "b", "mine", version("b", "two")))
    assert clinics(services) == {"a": "theirs", "b": "mine"}


def test_a_block_that_two_people_changed_is_told_with_the_others_words(services: Services) -> None:
    paste(services, None, "a\tone")
    a = block(services, None, "a")
    save(services, None, Change(a.id, "a", "theirs", version("a", "one")))

    problems = refused(services, None, Change(a.id, "a", "mine", version("a", "one")))
    assert "theirs" in problems[0, "text"]
    assert (
        "theirs"
        in refused(services, None, Change(a.id, "a", "one", version("a", "one"), is_deleted=True))[0, "text"]
    )
    save(services, None, Change(a.id, "a", "mine", version("a", "theirs")))
    assert clinics(services) == {"a": "mine"}


def test_changes_to_a_block_that_is_gone_are_told(services: Services) -> None:
    paste(services, None, "a\tone")
    a = block(services, None, "a").id
    save(services, None, Change(a, "a", "one", is_deleted=True))

    assert save(services, None, Change(a, "a", "one", version("a", "one"))) == Saved()
    assert (0, "letters") in refused(services, None, Change(a, "a", "mine", version("a", "one")))


def test_nobody_reaches_somebody_elses_blocks(services: Services) -> None:
    anna, bert = person(services, "anna"), person(services, "bert")
    paste(services, anna, "a\tone")
    theirs = block(services, anna, "a").id

    assert save(services, bert, Change(theirs, "a", "one", is_deleted=True)) == Saved()
    refused(services, bert, Change(theirs, "a", "mine"))
    assert services.text_blocks.of(anna) == {"a": "one"}


def test_a_pasted_table_adds_and_replaces_only_when_asked(services: Services) -> None:
    paste(services, None, 'a\tone\r\n\r\nLst\t"Normal:\n- liver\n- ""spleen"""\textra\n')
    assert clinics(services) == {"a": "one", "lst": 'Normal:\n- liver\n- "spleen"'}

    left = paste(services, None, "A\tother\nb\ttwo")
    assert (left.added, left.changed, left.kept) == (["b"], [], ["a"])
    assert block(services, None, "a").text == "one"
    assert paste(services, None, "a\tother", replaces=True).changed == ["a"]
    assert block(services, None, "a").text == "other"


@pytest.mark.parametrize("text", ["no tab here", "a\t", "\ttext", "a\tone\na\ttwo", "x\t" + "y" * 200_000])
def test_a_paste_that_cannot_be_taken_over_changes_nothing(services: Services, text: str) -> None:
    with pytest.raises(BlocksUnusable):
        paste(services, None, "good\tx\n" + text)
    assert services.text_blocks.owned(None) == []


def test_there_are_not_endlessly_many(services: Services) -> None:
    with pytest.raises(BlocksUnusable):
        paste(services, None, "\n".join(f"a{number}\tx" for number in range(MOST + 1)))
    assert len(paste(services, None, "\n".join(f"a{number}\tx" for number in range(MOST))).added) == MOST


def test_changes_to_the_clinics_blocks_are_on_record_and_own_ones_are_not(services: Services) -> None:
    anna = person(services)
    paste(services, anna, "a\tone")
    paste(services, None, "b\ttwo")
    services.session.commit()

    told = [row.details for row in rows(services, AuditEvent) if row.event == "site:changed"]
    assert told == [{"setting": "text blocks", "added": "b"}]
