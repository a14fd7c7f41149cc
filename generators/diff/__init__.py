"""What a comparison of contracts needs beyond the contracts: witnesses, and telling it to people and machines."""

from generators.diff.telling import FORMATS, tell
from generators.diff.witnesses import find_witness

__all__ = ["FORMATS", "find_witness", "tell"]
