from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.staff import Role, roles_from
from app.models.base import Model, UtcDateTime


class Staff(Model):
    """A person or a device with an account."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    # What they type to sign in: lower case, no spaces.
    login: Mapped[str] = mapped_column(String(64), unique=True)
    # How they are shown, and how a report is signed.
    name: Mapped[str] = mapped_column(Text)
    # domain.staff.names_of: "desk,viewer".
    roles: Mapped[str] = mapped_column(String(64))
    # argon2id, encoded. NULL: no password yet, or never one (links, devices with tokens).
    password_hash: Mapped[str | None] = mapped_column(String(160))
    pepper_kid: Mapped[str | None] = mapped_column(String(16))
    # The secret of the second factor (TOTP, RFC 6238), sealed. NULL: none set up.
    totp_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_kid: Mapped[str | None] = mapped_column(String(16))
    # The time step of the code that was used last: no code works twice (RFC 6238 section 5.2).
    totp_step: Mapped[int] = mapped_column(default=0, server_default="0")
    # "<issuer> <subject>" of an identity provider (OpenID Connect). NULL: signs in here.
    subject: Mapped[str | None] = mapped_column(Text, unique=True)
    failures: Mapped[int] = mapped_column(default=0)
    # NULL: a try is welcome now.
    next_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # NULL: may sign in.
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def role_set(self) -> frozenset[Role]:
        return roles_from(self.roles)
