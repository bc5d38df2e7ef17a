"""The command line: ``studykey serve`` and what operators do by hand. One file a group."""

from app.cli import grants, keys, run, site, staff  # noqa: F401  (they add their commands)
from app.cli.context import main

__all__ = ["main"]
