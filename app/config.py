"""Settings: read once from the environment, checked, frozen. One line and one comment per variable.

Defaults are safe in production and give nothing away if they leak; what production can't do without stops
the start with a sentence (``SettingsError``).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from environs import Env, FileAwareEnv

from app import config_mail
from app.config_mail import MailSettings
from app.config_problems import problems
from app.domain import access_code
from app.domain.grants import Kind, Policy

ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """The start is refused; the message is a sentence for the operator."""


class Mode(StrEnum):
    """PRODUCTION is the default; only the demo, developers and tests switch it off."""

    PRODUCTION = "production"
    DEMO = "demo"
    DEV = "dev"
    TEST = "test"


@dataclass(frozen=True)
class ArchiveSettings:
    """One Orthanc server: how Studykey reaches it, how browsers do, and who its gate is."""

    name: str
    url: str  # for Studykey; ends with a slash
    public_url: str  # for browsers; ends with a slash
    username: str  # Studykey's own Basic user there
    password: str = field(repr=False)
    gate_username: str  # its gate's Basic user on the internal door
    gate_password: str = field(repr=False)
    viewer: str  # a key of domain.viewers.VIEWERS
    server_id: str = ""  # what its plugin calls itself; empty: not checked
    explorer: bool = False  # whether staff are offered its Orthanc Explorer 2, at ui/app/

    @property
    def public_origin(self) -> str:
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True)
class Settings:
    mode: Mode
    instance: Path
    base_url: str
    database_url: str = field(repr=False)
    keys_file: Path
    archives: tuple[ArchiveSettings, ...]
    public_host: str
    public_port: int
    public_workers: int
    internal_host: str
    internal_port: int
    trusted_hops: int
    clinic_name: str
    clinic_phone: str
    brand_colour: str
    default_language: str
    time_zone: str
    policy: Policy
    policy_guardian: Policy | None
    policy_physician: Policy
    policy_delegate: Policy
    code_symbols: int
    grant_life: timedelta
    reprint_window: timedelta
    audit_life: timedelta
    visit_idle: timedelta
    visit_limit: timedelta
    validity: timedelta
    answer_memory: timedelta
    reconcile_every: timedelta
    follow_every: timedelta
    nudge_every: timedelta
    probe_every: timedelta
    processors: int
    allow_http_on_private_network: bool
    allowed_origins: tuple[str, ...]
    mail: MailSettings | None  # None: nothing is mailed

    def policy_for(self, kind: Kind) -> Policy:
        """The factors that a fresh grant of this kind asks for, where the birth date is usable."""
        return {
            Kind.PATIENT: self.policy,
            Kind.GUARDIAN: self.policy_guardian or self.policy,
            Kind.PHYSICIAN: self.policy_physician,
            Kind.DELEGATE: self.policy_delegate,
            Kind.LINK: self.policy_delegate,
            Kind.GROUP: Policy.PASSWORD,  # studies of many people: there is no birth date to ask for
        }[kind]

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def is_production(self) -> bool:
        return self.mode is Mode.PRODUCTION

    @property
    def audit_head(self) -> Path:
        """Where the follower keeps the audit trail's head, outside of the database."""
        return self.instance / "audit-head"

    def archive(self, name: str) -> ArchiveSettings:
        """Raises KeyError for a name that isn't configured (an archive that was taken out)."""
        return {archive.name: archive for archive in self.archives}[name]

    def with_(self, **changes: object) -> Settings:
        """A copy with some settings changed; for the demo and tests. Checked again."""
        return _checked(replace(self, **changes))  # type: ignore[arg-type]

    @classmethod
    def from_env(cls) -> Settings:
        """Read ``STUDYKEY_…`` (or a file named by ``STUDYKEY_…_FILE``, as for Docker's secrets).

        Raises SettingsError with one sentence per thing that is wrong.
        """
        try:
            # Files of secrets mostly end with a newline that is no part of the secret.
            return _checked(_read(FileAwareEnv(strip_whitespace=True)))
        except (ValueError, OverflowError) as error:  # EnvError, a file that can't be read, ages of days
            raise SettingsError(f"A setting can't be read: {str(error).rstrip('.')}.") from None


def _read(env: Env) -> Settings:
    with env.prefixed("STUDYKEY_"):
        # production, demo, dev or test
        mode = env.enum("MODE", Mode.PRODUCTION, enum=Mode, by_value=True)
        # folder for what this installation keeps: database, keys, logs
        instance = Path(env.str("INSTANCE", str(ROOT / "instance"))).resolve()
        # archives that Studykey follows: names, comma-separated; each has variables of its own below
        names = [name.strip() for name in env.list("ARCHIVES", ["main"])]
        return Settings(
            mode=mode,
            instance=instance,
            # address of the public door as printed on paper, in mails and QR codes
            base_url=env.str("BASE_URL", "").rstrip("/"),
            # SQLAlchemy URL; SQLite in the instance folder unless given (postgresql+psycopg://…)
            database_url=env.str("DATABASE_URL", f"sqlite:///{instance / 'studykey.db'}"),
            # pepper, signing and sealing keys (studykey keys init)
            keys_file=Path(env.str("KEYS_FILE", str(instance / "keys.json"))),
            archives=tuple(_read_archive(env, name) for name in names if name),
            # where the public door listens; a TLS proxy stands before it
            public_host=env.str("PUBLIC_HOST", "127.0.0.1"),
            public_port=env.int("PUBLIC_PORT", 8045),
            # processes of the public door
            public_workers=env.int("PUBLIC_WORKERS", 2),
            # where the internal door listens, for Orthanc and monitoring; never on the internet
            internal_host=env.str("INTERNAL_HOST", "127.0.0.1"),
            internal_port=env.int("INTERNAL_PORT", 8046),
            # proxies before the public door that append to X-Forwarded-For
            trusted_hops=env.int("TRUSTED_HOPS", 0),
            # the clinic as patients know it
            clinic_name=env.str("CLINIC_NAME", ""),
            # whom patients call
            clinic_phone=env.str("CLINIC_PHONE", ""),
            # one colour of the clinic, #rrggbb
            brand_colour=env.str("BRAND_COLOUR", "#0b5c8a"),
            # language of pages where the browser asks for none that we have
            default_language=env.str("DEFAULT_LANGUAGE", "en"),
            # the clinic's time zone, for moments on pages and paper
            time_zone=env.str("TIME_ZONE", "UTC"),
            # factors that a patient proves: code+birth-date[+password] or code+password …
            policy=env.enum("POLICY", Policy.BIRTH_DATE, enum=Policy, by_value=True),
            # … who acts for one (a child's parent); as patients unless given …
            policy_guardian=env.enum("POLICY_GUARDIAN", None, enum=Policy, by_value=True),
            # … a physician, who may not know the birth date: always with a password …
            policy_physician=env.enum("POLICY_PHYSICIAN", Policy.PASSWORD, enum=Policy, by_value=True),
            # … and whom a patient lets in: always with a password
            policy_delegate=env.enum("POLICY_DELEGATE", Policy.PASSWORD, enum=Policy, by_value=True),
            # random symbols of an access code, 5 bits each
            code_symbols=env.int("CODE_SYMBOLS", access_code.DEFAULT_DATA_SYMBOLS),
            # how long a grant opens its study
            grant_life=timedelta(days=env.int("GRANT_DAYS", 90)),
            # how long code and password stay sealed for reprints; 0: never sealed
            reprint_window=timedelta(days=env.int("REPRINT_DAYS", 14)),
            # how long the audit trail is kept; a year is reckoned as 366 days
            audit_life=timedelta(days=366 * env.int("AUDIT_YEARS", 6)),
            # a visit ends after this long without use …
            visit_idle=timedelta(minutes=env.int("VISIT_IDLE_MINUTES", 15)),
            # … and after this long in any case
            visit_limit=timedelta(minutes=env.int("VISIT_LIMIT_MINUTES", 60)),
            # how long a gate may reuse an answer: the delay of a revocation
            validity=timedelta(seconds=env.int("VALIDITY_SECONDS", 5)),
            # how long the internal door may use again what it read of a token: adds to that delay, a second at most
            answer_memory=timedelta(milliseconds=env.int("ANSWER_MEMORY_MS", 1000)),
            # how often the follower walks all studies of an archive
            reconcile_every=timedelta(seconds=env.int("RECONCILE_SECONDS", 300)),
            # how often the follower asks for changes without a nudge
            follow_every=timedelta(seconds=env.float("FOLLOW_SECONDS", 2)),
            # how often the follower looks whether a nudge came
            nudge_every=timedelta(seconds=env.float("NUDGE_SECONDS", 0.1)),
            # how often the follower checks that each archive's gate is closed
            probe_every=timedelta(seconds=env.int("PROBE_SECONDS", 30)),
            # cores to reckon with for hashing
            processors=env.int("PROCESSORS", os.cpu_count() or 1),
            # plain http in production, for names and addresses of a private network alone
            allow_http_on_private_network=env.bool("ALLOW_HTTP_ON_PRIVATE_NETWORK", False),
            # other websites whose pages may send requests to both doors, like https://*.example.org; the public
            # door's own address always may
            allowed_origins=tuple(filter(None, env.list("ALLOWED_ORIGINS", []))),
            # SMTP_HOST, SMTP_PORT, SMTP_USERNAME, SMTP_PASSWORD, SMTP_TLS, SMTP_FROM
            mail=config_mail.read(env),
        )


def _read_archive(env: Env, name: str) -> ArchiveSettings:
    if not name.isidentifier():
        raise SettingsError(f"The archive name {name!r} has to be letters, digits and underscores.")
    with env.prefixed(f"ARCHIVE_{name.upper()}_"):
        # address for Studykey itself
        url = env.str("URL", "http://127.0.0.1:8042").rstrip("/") + "/"
        return ArchiveSettings(
            name=name,
            url=url,
            # address for browsers, another host name than the base URL's
            public_url=env.str("PUBLIC_URL", url).rstrip("/") + "/",
            # Studykey's Basic user in this Orthanc (a user of its gate)
            username=env.str("USERNAME", "studykey"),
            password=env.str("PASSWORD", ""),
            # this Orthanc's Basic user on Studykey's internal door
            gate_username=env.str("GATE_USERNAME", name),
            gate_password=env.str("GATE_PASSWORD", ""),
            # stone, ohif, …
            viewer=env.str("VIEWER", "stone"),
            # what its Authorization plugin calls itself (WebServiceIdentifier); sent and different: refused
            server_id=env.str("SERVER_ID", ""),
            # whether it has Orthanc Explorer 2 (at PUBLIC_URL/ui/app/), so that staff get a button that opens it
            explorer=env.bool("EXPLORER", False),
        )


def _checked(settings: Settings) -> Settings:
    """Refuse settings that are weaker than they claim. Raises SettingsError."""
    if found := problems(settings):
        raise SettingsError(" ".join(found))
    return settings
