"""The one answer to what cannot be made or tried."""

from contracts.errors import BulkproofError


class ImpossibleError(BulkproofError):
    """Something that cannot be made, or tried, here; `str()` says why. The law's result is `not-run`."""
