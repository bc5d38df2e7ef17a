"""What the settings' pages say: what a change does and for whom, how readable a colour is, what a modality means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.domain.grants import Policy
from app.domain.modality import MEANINGS, NOT_IMAGES
from app.domain.share_links import PUBLICATIONS, LinkType
from app.domain.viewers import VIEWERS
from app.services.rules import Rules
from app.web import study_texts
from app.web.brand import AA
from app.web.i18n import _


def effects(changed: str, rules: Rules, life: timedelta) -> list[str]:
    """One sentence for each setting that was just changed; ``changed`` names them, unknown names say nothing."""
    look = _("Pages and sheets show it from now on; sheets already printed keep theirs.")
    said = {
        "none": _("Nothing was changed."),
        "name": look,
        "address": look,
        "phone": look,
        "colour": look,
        "logo": look,
        "logo-removed": look,
        "paper": _("Sheets and reports are printed on it from now on unless somebody chooses another."),
        "language": _("Sheets and reports are printed in it from now on unless somebody chooses another."),
        "languages": _("Patients are offered these languages from their next page on."),
        "grant_days": _(
            "New codes work for %(days)s days; sheets already printed keep theirs.", days=life.days
        ),
        "codes_paused": _(
            "From now on studies get no code by themselves. Sheets already printed keep working."
        )
        if rules.codes_paused
        else _(
            "Studies get their code by themselves again. Those that came meanwhile get one when it is printed."
        ),
        "code_modalities": _(
            "This counts for studies that come from now on. No code that exists is touched."
        ),
        "code_excluded": _("This counts for studies that come from now on. No code that exists is touched."),
        "release_images": _(
            "Patients see images by this from their next page on; viewers that are open go on."
        ),
        "release_report": _("Patients read reports by this from their next page on."),
        "release_by_modality": _("What you set for single examinations counts from the next page on."),
        "archive_reports": _(
            "Reports that are signed from now on are stored in the archive once they are released."
        )
        if rules.archive_reports
        else _("No further report is stored in the archive. What is there stays."),
        "share_days": _("Whoever shares a study chooses from these from now on; open shares keep their end."),
        "share_until_revoked": _("Shares may last until somebody revokes them.")
        if rules.share_until_revoked
        else _("New shares end by themselves. Those without an end stay open until somebody revokes them."),
        "password_in_link": _("Mailed links may open the images by themselves from now on.")
        if rules.password_in_link
        else _("New mailed links ask for the password. Links already mailed keep working."),
        "link_policy": _(
            "Links made in Orthanc from now on ask for: %(what)s. Links that exist keep asking what they asked.",
            what=dict(policies())[rules.link_policy],
        ),
        "direct_links": _(
            "Links of the ticked types open the images by themselves from now on: whoever has one sees them."
        )
        if rules.direct_links
        else _(
            "New links made in Orthanc lead to the page that asks. Links that open the images by themselves go on "
            "until they end or are revoked."
        ),
        "second_factor_roles": _("Whoever lacks a second factor sets one up at the next sign-in."),
        "lock_minutes": _("Pages left alone lock after %(minutes)s minutes.", minutes=rules.lock_minutes)
        if rules.lock_minutes
        else _("Pages left alone don't lock any more."),
        "splash_unlocked": _("The reading room's screen stays open while it is shown.")
        if rules.splash_unlocked
        else _("The reading room's screen locks as every page does."),
    }
    return list(dict.fromkeys(said[name] for name in changed.split(",") if name in said))


def policies() -> list[tuple[Policy, str]]:
    """What a link made in Orthanc may ask for beside the code that it carries."""
    return [
        (Policy.BIRTH_DATE, _("the patient's birth date")),
        (Policy.PASSWORD, _("the password")),
        (Policy.BIRTH_DATE_AND_PASSWORD, _("the patient's birth date and the password")),
    ]


def link_types() -> list[tuple[LinkType, str, str]]:
    """(type, label, lang) of the links that may lead straight to the images, as ``several`` takes them."""
    return [
        (type_, _("Links to %(viewer)s", viewer=VIEWERS[str(type_.viewer)].label), "")
        for type_ in PUBLICATIONS
    ]


def contrast(sample: dict[str, Any]) -> str:
    """How readable a colour is, and what becomes of one that isn't (brand.sample)."""
    ratio = f"{sample['ratio']:.1f}"
    if sample["ratio"] >= AA:
        return _(
            "Contrast with white paper %(ratio)s : 1. Readable, used as it is on light pages.", ratio=ratio
        )
    return _(
        "Contrast with white paper %(ratio)s : 1. Too pale to read (4.5 is the least): light pages use %(colour)s.",
        ratio=ratio,
        colour=sample["light"],
    )


def modalities(chosen: str) -> list[tuple[str, str]]:
    """Modalities to choose from, (code, meaning): those with images, and any other that was chosen before."""
    codes = [code for code in MEANINGS if code not in NOT_IMAGES]
    codes += [code for code in chosen.split(",") if code and code not in codes]
    return [(code, study_texts.modality(code)) for code in codes]
