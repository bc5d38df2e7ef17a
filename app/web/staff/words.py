"""Words of the pages about people: what an act or a role allows, which browser somebody uses."""

from __future__ import annotations

from app.domain.staff import MAY, PEOPLE, Act, Role
from app.domain.staff_password import Weakness
from app.web.i18n import _


def act(one: Act) -> str:
    """What somebody may do, as the account page's table says it."""
    return {
        Act.SEE: _("See the list of studies"),
        Act.VIEW: _("See images"),
        Act.DOWNLOAD: _("Take images away"),
        Act.READ: _("Read reports"),
        Act.WRITE: _("Write and sign reports"),
        Act.PRINT: _("Print sheets, make a new code"),
        Act.GRANTS: _("Extend, end, unlock and confirm access"),
        Act.SHARE: _("Share studies with others"),
        Act.UPLOAD: _("Store images in the archive"),
        Act.MODIFY: _("Change, merge and split studies in the archive"),
        Act.ANONYMIZE: _("Make anonymous copies"),
        Act.LABEL: _("Label studies in the archive"),
        Act.SEND: _("Send studies to other servers"),
        Act.QUERY: _("Search other servers and fetch from them"),
        Act.DELETE: _("Delete studies"),
        Act.AUDIT: _("Read the audit trail, reset limits"),
        Act.PEOPLE: _("Manage people and devices"),
        Act.SETTINGS: _("Change settings"),
    }[one]


def matrix() -> list[tuple[str, dict[Role, bool]]]:
    """The one table of roles and acts, for people to read: a row an act, in words."""
    order = [
        Act.SEE,
        Act.VIEW,
        Act.READ,
        Act.DOWNLOAD,
        Act.PRINT,
        Act.GRANTS,
        Act.SHARE,
        Act.WRITE,
        Act.UPLOAD,
        Act.MODIFY,
        Act.ANONYMIZE,
        Act.LABEL,
        Act.SEND,
        Act.QUERY,
        Act.DELETE,
        Act.AUDIT,
        Act.PEOPLE,
        Act.SETTINGS,
    ]
    return [(act(one), {role: one in MAY[role] for role in PEOPLE}) for one in order]


def role_choices() -> list[tuple[Role, str]]:
    """The roles of people, each with what it is for."""
    return [
        (Role.ADMIN, _("Everything: people, settings, audit trail, deleting.")),
        (
            Role.RADIOLOGIST,
            _(
                "Sees images, writes and signs reports, prints, shares, stores and corrects studies in the archive."
            ),
        ),
        (
            Role.DESK,
            _("Sees images, prints sheets, makes new codes, extends and ends access. No report texts."),
        ),
        (Role.VIEWER, _("Sees images and reads reports. Changes nothing.")),
        (Role.PHYSICIAN, _("Sees only the studies that a rule for a DICOM tag opens to them. Nothing else.")),
    ]


_BROWSERS = (  # the first that is in the user agent; each also claims to be those below it
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def browser(user_agent: str) -> str:
    """ "Chrome on Windows": enough for its owner to know it again, a claim and no proof."""
    name = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if name and system:
        return _("%(browser)s on %(system)s", browser=name, system=system)
    return name or system or _("Unknown browser")


def weakness(why: Weakness) -> str:
    """What to do about a password that is refused."""
    return {
        Weakness.TOO_SHORT: _(
            "That password is too short: take 12 characters or more, a few words in a row."
        ),
        Weakness.TOO_LONG: _("That password is too long: 256 characters at most."),
        Weakness.REPEATED: _("That password repeats the same few characters: take a few different words."),
        Weakness.OBVIOUS: _(
            "That password is among the first that somebody would try: take a few other words."
        ),
    }[why]
