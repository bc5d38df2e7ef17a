"""The rules that open a study in words, for staff: to whom, why, who did so last. Its patient reads control_texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.dicom import parse_person_name
from app.models import Study
from app.services.rules_of_study import Row
from app.services.tag_keys import NAMES, Wanted
from app.web import event_texts, i18n, rule_texts
from app.web.i18n import _


def described(rows: Sequence[Row], study: Study, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """``names``: of the staff by login, for who opened it last."""
    return [
        {
            "rule": row.rule,
            "is_open": row.is_open,
            "tag": rule_texts.tag(row.rule.tag),
            "values": _values(row, study),
            "allows": rule_texts.allows(row.permissions),
            "back": "" if row.rule.back_days is None else rule_texts.back(row.rule.back_days),
            "members": row.members,
            "matched_at": row.matched_at,
            "opened": _opened(row, names),
        }
        for row in rows
    ]


def _values(row: Row, study: Study) -> list[str]:
    """What stands in the study and matches, names of people as people write them."""
    values = Wanted.of(row.rule).matching(study)
    if row.rule.tag not in NAMES:
        return values
    return [parse_person_name(value).shown or value for value in values]


def _opened(row: Row, names: Mapping[str, str]) -> str:
    if row.last_at is not None:
        moment = i18n.show_moment(row.last_at)
        if event_texts.login_of(row.last_by) is None:
            return _("last %(moment)s, with the code", moment=moment)
        return _(
            "last %(moment)s by %(name)s", moment=moment, name=event_texts.actor_text(row.last_by, names)
        )
    if row.first_at is not None:
        return _("first %(moment)s, with an earlier code", moment=i18n.show_moment(row.first_at))
    return _("not yet")
