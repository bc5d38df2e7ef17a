"""The command line: ``studykey serve`` and what operators do by hand. One file a group."""

# Each adds its commands.
from app.cli import audit, backup, grants, keys, limits, purge, rules, run, site, staff, visits  # noqa: F401
from app.cli.context import main

__all__ = ["main"]
