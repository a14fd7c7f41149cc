"""What changed between two versions of a contract, and which of it breaks clients."""

from contracts.diff.changes import SEVERITIES, Change, Diff, Direction, Severity
from contracts.diff.comparing import compare
from contracts.diff.edits import Clue, Edit, Finder

__all__ = ["SEVERITIES", "Change", "Clue", "Diff", "Direction", "Edit", "Finder", "Severity", "compare"]
