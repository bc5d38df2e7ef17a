"""The composition root: builds the adapters and services of an app, and ends each request's transaction."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from flask import Flask, Response
from flask_migrate import Migrate
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from app.adapters import keys
from app.adapters.crypto import Crypto
from app.adapters.hash_slots import HashSlots
from app.adapters.head_file import HeadFile
from app.adapters.letters import LetterTemplates
from app.adapters.mail import Mail
from app.adapters.orthanc import Orthanc
from app.adapters.paper import PaperTemplates
from app.adapters.pdf import Renderer
from app.adapters.pdf_files import PdfFiles
from app.config import ROOT, Settings, SettingsError
from app.models import db
from app.services.announcements import Announcements
from app.services.archives import Archives
from app.services.audit import Audit
from app.services.audit_search import AuditSearch
from app.services.audit_trail import AuditTrail
from app.services.audit_verification import AuditVerification
from app.services.authorization import Authorization
from app.services.backup import Backup
from app.services.bringing import Bringing
from app.services.condition import Condition
from app.services.deliveries import Deliveries
from app.services.downloads import Downloads
from app.services.follower import Follower
from app.services.giving_on import GivingOn
from app.services.grants import Grants
from app.services.ingestion import Ingestion
from app.services.keys import Keys
from app.services.leases import Leases
from app.services.limits import Limits
from app.services.look import Look
from app.services.member_openings import MemberOpenings
from app.services.openings import Openings
from app.services.orthanc_mail import OrthancMail
from app.services.papers import Papers
from app.services.patience import Patience
from app.services.previews import Previews
from app.services.profiles import Profiles
from app.services.proof import Proof
from app.services.purge import Purge
from app.services.release import Releases
from app.services.report_copies import ReportCopies
from app.services.report_downloads import ReportDownloads
from app.services.report_reading import ReportReading
from app.services.report_templates import ReportTemplates
from app.services.reports import Reports
from app.services.rule_codes import RuleCodes
from app.services.rule_list import RuleList
from app.services.rule_papers import RulePapers
from app.services.rule_preview import RulePreview
from app.services.rule_studies import RuleStudies
from app.services.rules import SiteRules
from app.services.rules_of_study import RulesOfStudy
from app.services.search_words import SearchWords
from app.services.second_factor import SecondFactor
from app.services.selection import Selection
from app.services.share_tokens import ShareTokens
from app.services.sharing import Sharing
from app.services.sheets import Sheets
from app.services.site import Site
from app.services.staff import StaffAccounts
from app.services.staff_links import StaffLinks
from app.services.staff_list import StaffList
from app.services.staff_passwords import StaffPasswords
from app.services.staff_proof import StaffProof
from app.services.staff_sessions import StaffSessions
from app.services.staff_tokens import StaffTokens
from app.services.tag_matching import TagMatching
from app.services.tag_rules import TagRules
from app.services.text_blocks import TextBlocks
from app.services.timeline import Timeline
from app.services.token_facts import TokenFacts
from app.services.verification import Verification
from app.services.visits import Visits
from app.services.worklist import Worklist

EXTENSION = "studykey"
# What the internal door waits for anything: a gate gives up after two.
PATIENCE_SECONDS = 1.5
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workers:
    """Processes that do what could harm this one; each starts with the first work for it."""

    renderer: Renderer
    pdf_files: PdfFiles


@dataclass(frozen=True)
class Services:
    """Everything that a door or a command can ask for."""

    settings: Settings
    clock: Clock
    session: Session
    crypto: Crypto
    orthancs: dict[str, Orthanc]
    audit: Audit
    trail: AuditTrail
    audit_search: AuditSearch
    audit_verification: AuditVerification
    condition: Condition
    purge: Purge
    archives: Archives
    grants: Grants
    giving_on: GivingOn
    openings: Openings
    ingestion: Ingestion
    limits: Limits
    proof: Proof
    visits: Visits
    authorization: Authorization
    patience: Patience
    share_tokens: ShareTokens
    orthanc_mail: OrthancMail
    look: Look
    staff: StaffAccounts
    staff_sessions: StaffSessions
    second_factor: SecondFactor
    staff_links: StaffLinks
    staff_tokens: StaffTokens
    profiles: Profiles
    staff_list: StaffList
    worklist: Worklist
    selection: Selection
    search_words: SearchWords
    tag_matching: TagMatching
    tag_rules: TagRules
    member_openings: MemberOpenings
    rule_codes: RuleCodes
    rule_list: RuleList
    rule_studies: RuleStudies
    rule_preview: RulePreview
    rule_papers: RulePapers
    rules_of_study: RulesOfStudy
    announcements: Announcements
    timeline: Timeline
    site: Site
    rules: SiteRules
    releases: Releases
    reports: Reports
    report_templates: ReportTemplates
    text_blocks: TextBlocks
    report_copies: ReportCopies
    report_downloads: ReportDownloads
    report_reading: ReportReading
    downloads: Downloads
    previews: Previews
    deliveries: Deliveries
    verification: Verification
    papers: Papers
    sharing: Sharing
    sheets: Sheets
    renderer: Renderer
    pdf_files: PdfFiles
    bringing: Bringing
    leases: Leases
    keys: Keys
    backup: Backup

    def follower(self) -> Follower:
        return Follower(
            self.session,
            self.orthancs,
            self.archives,
            self.ingestion,
            self.leases,
            self.trail,
            self.purge,
            self.search_words,
            self.deliveries,
            self.tag_matching,
            self.announcements,
            self.settings,
            self.clock,
        )


def wire(app: Flask, settings: Settings, *, processes: int, clock: Clock = utc_now) -> Services:
    """Connect ``app`` to database and keys and build its services.

    ``processes``: how many copies of this app share the processors (hash slots). Raises SettingsError.
    """
    app.config.update(
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=_engine_options(settings.database_url),
    )
    db.init_app(app)
    Migrate(app, db, directory=str(ROOT / "migrations"), render_as_batch=True)
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return furnish(app, settings, Workers(Renderer(workers=1), PdfFiles(workers=1)), processes, clock)


def furnish(app: Flask, settings: Settings, workers: Workers, processes: int, clock: Clock) -> Services:
    """The services of an app that is connected to its database. Raises SettingsError."""
    crypto = Crypto(_keys(settings), HashSlots(max(1, settings.processors // processes)))
    with app.app_context():
        services = build(settings, cast(Session, db.session), db.engine, crypto, workers, clock)
    app.extensions[EXTENSION] = services
    return services


def build(
    settings: Settings, session: Session, engine: Engine, crypto: Crypto, workers: Workers, clock: Clock
) -> Services:
    """Build the services around a session (the caller's transaction) and an engine (their own)."""
    own_session = sessionmaker(engine, expire_on_commit=False)
    orthancs = {archive.name: Orthanc(archive) for archive in settings.archives}
    audit = Audit(own_session, crypto)
    audit_verification = AuditVerification(own_session, crypto, audit)
    trail = AuditTrail(own_session, audit, audit_verification, HeadFile(settings.audit_head))
    limits = Limits(own_session, audit)
    rules = SiteRules(session, audit)
    grants = Grants(session, crypto, audit, settings, rules)
    rule_codes = RuleCodes(session)
    renderer, pdf_files = workers.renderer, workers.pdf_files
    mail = Mail(settings.mail, settings.base_url)
    patience = Patience(PATIENCE_SECONDS)
    authorization = Authorization(TokenFacts(engine, settings.answer_memory, patience), crypto, settings)
    tag_matching = TagMatching(own_session, audit)
    site = Site(session, audit, settings)
    papers = Papers(session, grants, site, PaperTemplates(), renderer, pdf_files, audit, settings)
    archives = Archives(own_session, orthancs, audit)
    releases = Releases(session, rules, audit)
    copies = ReportCopies(session)
    reports = Reports(session, audit)
    look = Look(orthancs)
    worklist = Worklist(session)
    second_factor = SecondFactor(own_session, crypto, audit, settings)
    staff_sessions = StaffSessions(own_session, crypto, audit, second_factor)
    passwords = StaffPasswords(own_session, crypto, audit, settings)
    staff = StaffAccounts(own_session, audit, passwords)
    return Services(
        settings=settings,
        clock=clock,
        session=session,
        crypto=crypto,
        orthancs=orthancs,
        audit=audit,
        trail=trail,
        audit_search=AuditSearch(own_session),
        audit_verification=audit_verification,
        condition=Condition(own_session),
        purge=Purge(own_session, audit, trail, settings),
        archives=archives,
        grants=grants,
        giving_on=GivingOn(session, grants, audit),
        openings=Openings(session, grants, rule_codes),
        ingestion=Ingestion(session, orthancs, grants, audit, rules, tag_matching),
        limits=limits,
        proof=Proof(own_session, crypto, audit, limits),
        visits=Visits(own_session, crypto, audit, settings),
        authorization=authorization,
        patience=patience,
        share_tokens=ShareTokens(session, crypto, grants, rules, authorization, settings),
        orthanc_mail=OrthancMail(own_session, mail, audit, settings),
        look=look,
        previews=Previews(orthancs, look),
        downloads=Downloads(own_session, orthancs, audit, clock),
        staff=staff,
        staff_sessions=staff_sessions,
        second_factor=second_factor,
        staff_links=StaffLinks(own_session, crypto, audit, passwords, staff_sessions),
        staff_tokens=StaffTokens(own_session, crypto, audit),
        profiles=Profiles(own_session, crypto, audit, StaffProof(own_session, crypto, audit, second_factor)),
        staff_list=StaffList(session),
        worklist=worklist,
        selection=Selection(worklist, grants),
        search_words=SearchWords(own_session),
        tag_matching=tag_matching,
        tag_rules=TagRules(session, grants, tag_matching, audit),
        rule_codes=rule_codes,
        rule_list=RuleList(session),
        rule_studies=RuleStudies(session),
        rule_preview=RulePreview(session),
        rule_papers=RulePapers(session, grants, site, PaperTemplates(), renderer, audit, settings),
        rules_of_study=RulesOfStudy(session),
        announcements=Announcements(own_session, mail, LetterTemplates(), site, audit, settings),
        member_openings=MemberOpenings(own_session, crypto, audit),
        timeline=Timeline(session),
        site=site,
        rules=rules,
        releases=releases,
        report_copies=copies,
        report_downloads=ReportDownloads(session, copies, papers, audit),
        report_reading=ReportReading(session, site, PaperTemplates(), settings),
        verification=Verification(session, copies),
        deliveries=Deliveries(
            session, orthancs, releases, copies, rules, site, PaperTemplates(), audit, settings
        ),
        reports=reports,
        report_templates=ReportTemplates(session, audit),
        text_blocks=TextBlocks(session, audit),
        papers=papers,
        sharing=Sharing(
            session,
            grants,
            rules,
            site,
            mail,
            LetterTemplates(),
            audit,
            settings,
        ),
        sheets=Sheets(session, grants, papers, settings),
        renderer=renderer,
        pdf_files=pdf_files,
        bringing=Bringing(session, reports, grants, pdf_files, archives, orthancs),
        leases=Leases(own_session, f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"),
        keys=Keys(own_session, audit, settings),
        backup=Backup(engine, own_session, audit, settings),
    )


def end_transaction(response: Response) -> Response:
    """Pages commit once, at the end, on success; anything else is rolled back."""
    if response.status_code < 400:
        db.session.commit()
    else:
        db.session.rollback()
    return response


def _keys(settings: Settings) -> keys.KeysFile:
    """The keys of this installation. Only the demo, developers and tests get them made on the way."""
    file = settings.keys_file
    if not settings.is_production and not file.exists():
        with suppress(FileExistsError):  # another process was first
            keys.write(file, keys.generate(at=utc_now()))
    try:
        source = keys.KeysFile(file)
    except keys.KeysMissing as missing:
        raise SettingsError(str(missing)) from None
    if settings.is_production and keys.is_open_to_others(file):
        raise SettingsError(
            f"Every user of this machine can read the keys file {file}. Run: chmod 600 {file}."
        )
    return source


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": 10}}
    # A server that is gone is noticed: neither connecting nor waiting for an acknowledgement takes longer than 2 s.
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 2, "tcp_user_timeout": 2000}}


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
