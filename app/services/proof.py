"""Checking what a person typed against its grant: limits, first hash, record, second hash, verdict.

The order is the protection. A network at its limit is turned away before any hash is paid for. An attempt is
counted and committed before anything is compared, so a page that fails or a process that dies never yields a
free guess. An unknown code costs the same two hashes and the same commits as a known one, and gets the same
answer.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import case, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from app.adapters.crypto import Crypto
from app.domain.access_code import AccessCode
from app.domain.events import Event
from app.domain.grants import THROTTLE, Policy, Standing
from app.domain.limits import networks_of
from app.domain.password import Password
from app.models import Attempt, Grant
from app.services.audit import Audit, StoreUnavailable
from app.services.limits import Limits


@dataclass(frozen=True)
class Claim:
    """What a person typed, already read: a well-formed code and one factor or two."""

    code: AccessCode
    born: date | None = field(repr=False)
    password: Password | None
    address: str
    # ``Proof.second_chance`` of the answer to the last try, if there was one.
    again: str = field(repr=False, default="")


class Outcome(StrEnum):
    """OPENED, the one answer for everything not recognised, and what is said only after full proof."""

    OPENED = "opened"
    REFUSED = "refused"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    NOT_YET_RELEASED = "not-yet-released"


_BY_STANDING = {
    Standing.OPEN: Outcome.OPENED,
    Standing.EXPIRED: Outcome.EXPIRED,
    Standing.REVOKED: Outcome.REVOKED,
    Standing.SUSPENDED: Outcome.SUSPENDED,
    Standing.NOT_YET_RELEASED: Outcome.NOT_YET_RELEASED,
}


@dataclass(frozen=True)
class Verdict:
    """``grant_id`` is set when every factor was right, whether or not the grant opens now."""

    outcome: Outcome
    grant_id: int | None = None


class Proof:
    def __init__(
        self, own_session: sessionmaker[Session], crypto: Crypto, audit: Audit, limits: Limits
    ) -> None:
        self._own_session = own_session
        self._crypto = crypto
        self._audit = audit
        self._limits = limits

    def check(self, claim: Claim, *, at: datetime) -> Verdict:
        """Check a claim, and count it.

        Raises TooManyFailures when its network has to wait, Busy when no hash slot came free (in both cases
        nothing was compared or counted), StoreUnavailable when the attempt can't be recorded: no record, no
        guess.
        """
        is_again = self._is_second_chance(claim, at)
        try:
            rank = self._limits.check(networks_of(claim.address), is_second_chance=is_again, at=at)
        except SQLAlchemyError as error:
            raise StoreUnavailable("the limits can't be read") from error
        with self._crypto.turn(rank):  # one slot for both hashes: an attempt is not left half-way
            indexes = self._crypto.code_indexes(claim.code)  # first hash
            try:
                grant = self._find(indexes)
                attempt_id, may_try = self._record(claim, grant, is_again, at)
            except SQLAlchemyError as error:
                raise StoreUnavailable("the attempt can't be recorded") from error
            is_proved = self._compare(claim, grant) and may_try  # second hash, locked or not
        try:
            verdict = self._conclude(claim, attempt_id, grant, is_proved, at)
            self._limits.watch(at=at)
            return verdict
        except SQLAlchemyError as error:
            raise StoreUnavailable("the verdict can't be recorded") from error

    def second_chance(self, claim: Claim, *, at: datetime) -> str:
        """What the form carries after a refusal: proof that this code was just tried from this network.

        A keyed MAC that tells nothing of the code, the same for a known and an unknown one; good for an hour
        or two. Whoever repeats the code stands back in the queue with nobody who guesses new ones.
        """
        return self._crypto.sign("again", _tried(claim, at)).rpartition(".")[2]

    def _is_second_chance(self, claim: Claim, at: datetime) -> bool:
        moments = (at, at - timedelta(hours=1))
        tokens = (f"{_tried(claim, moment)}.{claim.again}" for moment in moments)
        return bool(claim.again) and any(self._crypto.unsign("again", token) for token in tokens)

    def _find(self, indexes: dict[str, bytes]) -> Grant | None:
        with self._own_session() as session:
            query = select(Grant).where(Grant.code_index.in_(list(indexes.values())))
            return session.scalars(query).one_or_none()

    def _record(self, claim: Claim, grant: Grant | None, is_again: bool, at: datetime) -> tuple[int, bool]:
        """Commit the attempt as a failure to be taken back on success: (its id, whether it may try).

        Raises TooManyFailures, and records nothing, where others of its network were faster to use up the limit.
        One UPDATE counts it and sets the next delay, so a hundred tries at once are a hundred counts. A try
        during a delay or a lock is not counted and never extends it.
        """
        with self._own_session.begin() as session:
            networks = networks_of(claim.address)
            attempt = Attempt(
                at=at,
                network=networks.narrow,
                wide_network=networks.wide,
                grant_id=grant.id if grant else None,
                outcome=None,
            )
            self._limits.admit(session, attempt, is_second_chance=is_again)
            # An unknown code runs the same statement, on no row.
            counted = session.execute(
                update(Grant)
                .where(
                    Grant.id == (grant.id if grant else -1),
                    or_(Grant.next_try_at.is_(None), Grant.next_try_at <= at),
                    Grant.failures < (THROTTLE.locks_at(Policy(grant.policy)) if grant else 0),
                    Grant.failures_in_life < THROTTLE.lock_in_life,
                )
                .values(
                    failures=Grant.failures + 1,
                    failures_in_life=Grant.failures_in_life + 1,
                    next_try_at=case(
                        {n: at + THROTTLE.delay_after(n) for n in range(1, 20)},
                        value=Grant.failures + 1,
                        else_=at + THROTTLE.longest_delay,
                    ),
                )
                .returning(Grant.id)
            )
            may_try = counted.first() is not None
            session.flush()
            return attempt.id, may_try

    def _compare(self, claim: Claim, grant: Grant | None) -> bool:
        """Every factor that the grant's policy asks for. Exactly one hash whatever was typed."""
        if grant is None:
            self._crypto.waste_a_hash()
            return False
        policy = Policy(grant.policy)
        typed = claim.password or ""
        is_password_right = self._crypto.verify_password(grant.pepper_kid, grant.password_hash, typed)
        typed_mac = self._crypto.birth_date_mac(grant.pepper_kid, grant.ref, claim.born or date.min)
        is_birth_date_right = hmac.compare_digest(grant.birth_date_mac or b"", typed_mac)
        return (is_password_right or not policy.asks_password) and (
            is_birth_date_right or not policy.asks_birth_date
        )

    def _conclude(
        self, claim: Claim, attempt_id: int, grant: Grant | None, is_proved: bool, at: datetime
    ) -> Verdict:
        verdict = Verdict(Outcome.REFUSED)
        if grant is not None and is_proved:
            verdict = Verdict(_BY_STANDING[grant.standing(at)], grant.id)
        with self._own_session.begin() as session:
            session.execute(update(Attempt).where(Attempt.id == attempt_id).values(outcome=verdict.outcome))
            # A right proof takes its own count back; for anything else the same statement finds no row.
            session.execute(
                update(Grant)
                .where(Grant.id == (verdict.grant_id or -1))
                .values(failures=0, failures_in_life=Grant.failures_in_life - 1, next_try_at=None)
            )
            event = Event.GRANT_PROVED if verdict.grant_id else Event.GRANT_REFUSED
            self._audit.within(
                session,
                event,
                at=at,
                actor="holder",
                address=claim.address,
                grant_id=grant.id if grant else None,
                outcome=verdict.outcome,
            )
        return verdict


def _tried(claim: Claim, at: datetime) -> str:
    return f"{networks_of(claim.address).narrow} {claim.code.symbols} {at:%Y%m%d%H}"
