"""The errors of generators: schemas that no value is valid for, and actions that do not apply."""

from contracts.errors import BulkproofError


class NotApplicableError(BulkproofError):
    """Something that cannot be made or tried here; `str()` says why. A law that raises it has the result `not-run`."""


class UnsatisfiableError(NotApplicableError):
    """No value can be made for a schema.

    `pointer` is the place in the schemas (`uri#pointer`), `keyword` the keyword there that no value satisfies, `why`
    the reason.
    """

    def __init__(self, pointer: str, keyword: str, why: str) -> None:
        self.pointer, self.keyword, self.why = pointer, keyword, why
        super().__init__(f"no value can be made, '{keyword}' stands against it: {why}.", where=pointer or "#")

    def __reduce__(self) -> tuple[type["UnsatisfiableError"], tuple[str, str, str]]:
        """Pickle the constructor's arguments."""
        return UnsatisfiableError, (self.pointer, self.keyword, self.why)


class ContradictionError(Exception):
    """Two keywords that no value satisfies together, before their place in the schemas is known."""

    def __init__(self, keyword: str, why: str) -> None:
        self.keyword, self.why = keyword, why
        super().__init__(f"{keyword}: {why}")

    def at(self, pointer: str) -> UnsatisfiableError:
        """Return the error for this contradiction at a place in the schemas."""
        return UnsatisfiableError(pointer, self.keyword, self.why)
