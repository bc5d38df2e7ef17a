"""What a grant allows its holder: see the images, read the report, take copies away."""

from __future__ import annotations

from enum import Flag, auto


class Permission(Flag):
    """Stored as text ("view,report,download"), so that a database can be read without this file."""

    NONE = 0
    VIEW = auto()
    REPORT = auto()
    DOWNLOAD = auto()

    @property
    def names(self) -> str:
        return ",".join(str(flag.name).lower() for flag in self)

    @classmethod
    def from_names(cls, names: str) -> Permission:
        """Raises KeyError for a permission that this version doesn't know."""
        result = cls.NONE
        for name in filter(None, names.split(",")):
            result |= cls[name.upper()]
        return result


PATIENT = Permission.VIEW | Permission.REPORT | Permission.DOWNLOAD
