"""What is wrong with settings, in sentences: whatever is weaker than it claims stops the start.

Owns the rules; ``config`` owns the variables and raises. Sentences name the variable and never show a secret.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from app import config_mail
from app.domain import access_code, origins
from app.domain.grants import Kind
from app.domain.viewers import VIEWERS

if TYPE_CHECKING:
    from app.config import Settings

# CNIL 2022: 50 bits for a secret that stands alone, with throttling.
MIN_BITS_ALONE = 50
MIN_SECRET_LENGTH = 16
# Longer than this, "ended" would no longer mean ended at the gate.
LONGEST_VALIDITY = timedelta(minutes=1)
LONGEST_VISIT = timedelta(days=1)
# RFC 1918, 1122, 3927, 4193, 4291; ip_address().is_private counts documentation networks and more as well.
_PRIVATE_NETWORKS = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16")
    + ("fc00::/7", "fe80::/10", "::1/128")
]
# RFC 6761, 6762, 8375, and what ICANN keeps for private use; .lan is a custom that nobody sells.
_PRIVATE_NAMES = (".localhost", ".local", ".lan", ".internal", ".home.arpa")


def problems(settings: Settings) -> list[str]:
    """One sentence for each thing that is wrong, in any mode and, in production, beyond that."""
    found = [*_policies(settings), *_figures(settings), *_archives(settings)]
    found += _origins(settings)
    found += config_mail.problems(settings.mail, is_production=settings.is_production)
    return found + (_in_production(settings) if settings.is_production else [])


def _origins(settings: Settings) -> list[str]:
    """Other websites that may call, and our own, which always may."""
    found = []
    for text in settings.allowed_origins:
        try:
            origins.pattern(text)
        except ValueError as error:
            found.append(f"STUDYKEY_ALLOWED_ORIGINS: {error}.")
    try:
        origins.of(settings.base_url)
    except ValueError:
        found.append("STUDYKEY_BASE_URL is no address that browsers know.")
    return found


def _policies(settings: Settings) -> list[str]:
    found = []
    bits = settings.code_symbols * access_code.BITS_PER_SYMBOL
    alone = [kind for kind in Kind if not settings.policy_for(kind).asks_password]
    if alone and bits < MIN_BITS_ALONE:
        found.append(
            f"A code of {bits} bits needs a password beside it ({MIN_BITS_ALONE} bits without one), for: "
            f"{', '.join(alone)}."
        )
    # Somebody else's birth date is known to many: for these two it may guard, never stand alone.
    found += [
        f"STUDYKEY_POLICY_{kind.upper()} has to ask for the password."
        for kind in (Kind.PHYSICIAN, Kind.DELEGATE)
        if kind in alone
    ]
    return found


def _figures(settings: Settings) -> list[str]:
    found = []
    if not access_code.MIN_DATA_SYMBOLS <= settings.code_symbols <= access_code.MAX_DATA_SYMBOLS:
        found.append("STUDYKEY_CODE_SYMBOLS has to be 8 to 16.")
    if settings.time_zone not in available_timezones():
        found.append(f"STUDYKEY_TIME_ZONE {settings.time_zone!r} is no time zone, like Europe/Madrid.")
    for name, length in (
        ("GRANT_DAYS", settings.grant_life),
        ("AUDIT_YEARS", settings.audit_life),
        ("VISIT_IDLE_MINUTES", settings.visit_idle),
        ("VISIT_LIMIT_MINUTES", settings.visit_limit),
    ):
        if length <= timedelta(0):
            found.append(f"STUDYKEY_{name} has to be 1 or more.")
    if settings.visit_idle > settings.visit_limit:
        found.append("STUDYKEY_VISIT_IDLE_MINUTES can't be more than STUDYKEY_VISIT_LIMIT_MINUTES.")
    if settings.visit_limit > LONGEST_VISIT:
        found.append("STUDYKEY_VISIT_LIMIT_MINUTES has to be 1440 or less: a day.")
    if not timedelta(0) <= settings.answer_memory <= timedelta(seconds=1):
        found.append("STUDYKEY_ANSWER_MEMORY_MS has to be between 0 and 1000: a revocation waits that long.")
    if not timedelta(0) < settings.validity <= LONGEST_VALIDITY:
        found.append("STUDYKEY_VALIDITY_SECONDS has to be 1 to 60: so long goes on what was ended.")
    if settings.reprint_window < timedelta(0):
        found.append("STUDYKEY_REPRINT_DAYS has to be 0 or more.")
    if settings.trusted_hops < 0:
        found.append("STUDYKEY_TRUSTED_HOPS has to be 0 or more.")
    if settings.public_workers < 1 or settings.processors < 1:
        found.append("STUDYKEY_PUBLIC_WORKERS and STUDYKEY_PROCESSORS have to be 1 or more.")
    return found


def _archives(settings: Settings) -> list[str]:
    found = []
    if len({archive.gate_username for archive in settings.archives}) < len(settings.archives):
        found.append("Each archive needs a STUDYKEY_ARCHIVE_…_GATE_USERNAME of its own.")
    if not _is_this_machine(settings.internal_host):
        found += [
            f"STUDYKEY_INTERNAL_HOST lets other machines ask at the internal door, so STUDYKEY_ARCHIVE_"
            f"{archive.name.upper()}_GATE_PASSWORD needs {MIN_SECRET_LENGTH} characters or more."
            for archive in settings.archives
            if len(archive.gate_password) < MIN_SECRET_LENGTH
        ]
    for archive in settings.archives:
        if archive.viewer not in VIEWERS:
            known = ", ".join(VIEWERS)
            found.append(f"STUDYKEY_ARCHIVE_{archive.name.upper()}_VIEWER has to be one of: {known}.")
    return found


def _in_production(settings: Settings) -> list[str]:
    found = []
    is_http_allowed = settings.allow_http_on_private_network
    if not settings.base_url:
        found.append("STUDYKEY_BASE_URL is missing: the address that is printed on paper.")
    else:
        found += _address("STUDYKEY_BASE_URL", settings.base_url, is_http_allowed)
    if not settings.clinic_name or not settings.clinic_phone:
        found.append("STUDYKEY_CLINIC_NAME and STUDYKEY_CLINIC_PHONE are missing: patients see them.")
    for archive in settings.archives:
        prefix = f"STUDYKEY_ARCHIVE_{archive.name.upper()}"
        if min(len(archive.password), len(archive.gate_password)) < MIN_SECRET_LENGTH:
            found.append(
                f"{prefix}_PASSWORD and {prefix}_GATE_PASSWORD need {MIN_SECRET_LENGTH} characters or more each."
            )
        found += _address(f"{prefix}_PUBLIC_URL", archive.public_url, is_http_allowed)
        if _host(archive.public_url) == _host(settings.base_url):
            found.append(
                f"{prefix}_PUBLIC_URL needs another host name than STUDYKEY_BASE_URL: cookies ignore ports."
            )
    return found


def _address(variable: str, url: str, is_http_allowed: bool) -> list[str]:
    """What is wrong with an address that browsers are sent to."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port that is none)
    except ValueError:
        return [f"{variable} is no address."]
    if parts.scheme == "http" and is_http_allowed:
        if not is_private(_host(url)):
            return [
                f"{variable} is not on a private network, so it has to begin with https://;"
                " STUDYKEY_ALLOW_HTTP_ON_PRIVATE_NETWORK allows http for private addresses and"
                f" names that end with {', '.join(_PRIVATE_NAMES)}."
            ]
    elif parts.scheme != "https":
        return [f"{variable} has to begin with https:// in production."]
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        return [f"{variable} has to be scheme, host and path alone, like https://images.clinic.example."]
    return []


def is_private(host: str) -> bool:
    """Whether an address is of a private network or this machine, or a name that only such networks give."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.rstrip(".")
        return name == "localhost" or name.endswith(_PRIVATE_NAMES)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _PRIVATE_NETWORKS if network.version == address.version)


def _is_this_machine(host: str) -> bool:
    """Whether a door that listens there is out of other machines' reach."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _host(url: str) -> str:
    """In lower case, without brackets and port; empty when there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
