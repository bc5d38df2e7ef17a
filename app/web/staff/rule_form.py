"""The form for a rule: what was typed, what is wrong with it, and the choices that it offers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from app.domain import mail_address, tag_match
from app.domain.dicom import clean_text
from app.domain.other_tags import is_keyword
from app.domain.permissions import PATIENT, Permission
from app.domain.tag_match import How
from app.models import Staff, TagRule
from app.services.sharing import LONGEST_LABEL
from app.services.tag_keys import NAMES, PLACES, Wanted
from app.services.worklist import LARGEST_ID
from app.web import rule_texts
from app.web.context import services
from app.web.i18n import _
from app.web.landing_form import FieldError

MOST_VALUES, LONGEST_VALUE, MOST_ADDRESSES = 50, 200, 10
OTHER = "other"  # a tag that is typed
UNTIL_REVOKED = "until-revoked"
BACK_DAYS = (30, 90, 365, 1095)
DEFAULT_BACK, DEFAULT_LIFE = 365, 365


@dataclass(frozen=True)
class Typed:
    """``days`` and ``back_days`` None: without end; 0: none of the choices."""

    tag: str = "ReferringPhysicianName"
    keyword: str = ""
    how: str = "spellings"
    values: tuple[str, ...] = ()
    name: str = ""
    permissions: Permission = Permission.VIEW | Permission.REPORT
    back_days: int | None = DEFAULT_BACK
    days: int | None = DEFAULT_LIFE
    may_give_on: bool = False
    addresses: str = ""
    members: tuple[int, ...] = field(default=())

    @property
    def wanted(self) -> Wanted:
        tag = self.keyword if self.tag == OTHER else self.tag
        normal = How.NAME if tag in NAMES else How.WORDS
        return Wanted(tag, How.EXACT if self.how == "exact" else normal, self.values)

    @property
    def announce_to(self) -> str:
        return " ".join(dict.fromkeys(self.addresses.replace(",", " ").replace(";", " ").split()))

    @property
    def digest(self) -> str:
        """Of what a preview shows: it has to be looked at again when any of it changes."""
        told = repr((self.wanted, self.back_days))
        return hashlib.sha256(told.encode(errors="replace")).hexdigest()[:16]


def fresh() -> Typed:
    """What stands in the form before anybody has touched it."""
    days = services().rules.now().share_days
    return Typed(days=DEFAULT_LIFE if DEFAULT_LIFE in days else days[-1])


def read(form: MultiDict[str, str]) -> Typed:
    values = (clean_text(one)[:LONGEST_VALUE] for one in form.getlist("value")[: MOST_VALUES + 1])
    return Typed(
        tag=form.get("tag", "")[:64],
        keyword=form.get("keyword", "").strip()[:64],
        how="exact" if form.get("how") == "exact" else "spellings",
        values=tuple(dict.fromkeys(filter(None, values))),
        permissions=_permissions(form),
        days=_days(form.get("days", ""), UNTIL_REVOKED),
        **_changeable(form),
    )


def read_change(form: MultiDict[str, str]) -> Typed:
    """The part that can be changed later."""
    return Typed(**_changeable(form))


def of(rule: TagRule, members: list[Staff]) -> Typed:
    return Typed(
        name=rule.name,
        back_days=rule.back_days,
        may_give_on=rule.may_give_on,
        addresses=rule.announce_to,
        members=tuple(one.id for one in members),
    )


def _changeable(form: Mapping[str, str] | MultiDict[str, str]) -> dict[str, Any]:
    ticked = form.getlist("member", type=int) if isinstance(form, MultiDict) else []
    return {
        "name": clean_text(form.get("name", "")),
        "back_days": _days(form.get("back_days", ""), "all"),
        "may_give_on": bool(form.get("may_give_on")),
        "addresses": form.get("addresses", "").strip()[:2000],
        "members": tuple(dict.fromkeys(one for one in ticked if 0 < one <= LARGEST_ID))[:500],
    }


def _permissions(form: MultiDict[str, str]) -> Permission:
    found = Permission.NONE
    for flag in PATIENT:
        if form.get(str(flag.name).lower()):
            found |= flag
    return found


def _days(text: str, endless: str) -> int | None:
    if text == endless:
        return None
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0


def about_matching(typed: Typed) -> list[FieldError]:
    """What keeps a preview from being made."""
    wanted = typed.wanted
    found = []
    if typed.tag == OTHER:
        if not is_keyword(typed.keyword):
            text = _("Write the keyword of a main DICOM tag of the study, like RequestingPhysician.")
            found.append(FieldError("keyword", text))
    elif typed.tag not in NAMES and typed.tag not in PLACES and not is_keyword(typed.tag):
        found.append(FieldError("tag", _("Choose a tag.")))
    if not wanted.values:
        found.append(FieldError("value-1", _("Write at least one value, as it stands in the tag.")))
    elif len(wanted.values) > MOST_VALUES:
        text = _("These are too many values: %(most)s at most. Make another rule.", most=MOST_VALUES)
        found.append(FieldError("value-1", text))
    for number, value in enumerate(wanted.values, start=1):
        if not tag_match.keys(value, wanted.how):
            text = _("This value has no letters or digits that could be compared.")
            found.append(FieldError(f"value-{number}", text))
    return found + about_days(typed)


def about_days(typed: Typed) -> list[FieldError]:
    if typed.back_days == 0:
        return [FieldError("back_days", _("Choose how far back it goes."))]
    return []


def about_people(typed: Typed) -> list[FieldError]:
    """For whom it is, and who is told."""
    found = []
    if not typed.name:
        found.append(FieldError("name", _("Write for whom it is, like Dr Ludwig Moreno or Ward 7.")))
    elif len(typed.name) > LONGEST_LABEL:
        text = _("This is too long: %(most)s characters at most.", most=LONGEST_LABEL)
        found.append(FieldError("name", text))
    addresses = typed.announce_to.split()
    if len(addresses) > MOST_ADDRESSES:
        text = _("These are too many addresses: %(most)s at most.", most=MOST_ADDRESSES)
        found.append(FieldError("addresses", text))
    elif wrong := [one for one in addresses if mail_address.read(one) is None]:
        text = _("This is no mail address: %(address)s", address=wrong[0][:80])
        found.append(FieldError("addresses", text))
    return found


def problems(typed: Typed) -> list[FieldError]:
    """What stands in the way of saving, in the order of the form."""
    rules = services().rules.now()
    found = about_matching(typed) + about_people(typed)
    if not typed.permissions:
        found.append(FieldError("view", _("Allow at least one: images, report or download.")))
    if typed.days not in [*rules.share_days, *([None] if rules.share_until_revoked else [])]:
        found.append(FieldError("days", _("Choose how long it lasts.")))
    return found


def like(rule: TagRule, members: list[Staff], permissions: Permission) -> Typed:
    """Another rule that begins with what one asks for, in place of correcting it."""
    return replace(
        of(rule, members),
        tag=rule.tag,
        how="exact" if rule.how == How.EXACT else "spellings",
        values=Wanted.of(rule).values,
        permissions=permissions,
        days=fresh().days,
    )


def choices(typed: Typed) -> dict[str, Any]:
    """What the form offers."""
    rules = services().rules.now()
    backs = sorted({*BACK_DAYS, *([typed.back_days] if typed.back_days else [])})
    known = services().rule_preview.tags()
    more = [typed.tag] if typed.tag != OTHER and is_keyword(typed.tag) and typed.tag not in known else []
    return {
        "tags": rule_texts.tags([*known, *more]),
        "other": OTHER,
        "backs": backs,
        "days": rules.share_days,
        "until_revoked": UNTIL_REVOKED if rules.share_until_revoked else None,
        "people": [row.person for row in services().staff_list.people(at=services().clock())],
        "mail_on": services().sharing.is_mail_on,
        "reconcile_minutes": max(1, round(services().settings.reconcile_every.total_seconds() / 60)),
    }
