"""The one answer to a schema that no value fits, or that we find no value for."""

from generators.impossible import ImpossibleError


class UnsatisfiableError(ImpossibleError):
    """No value can be made for a schema.

    `pointer` is where in the schemas (`uri#pointer`), `keyword` what stands against it there.
    """

    def __init__(self, pointer: str, keyword: str, why: str) -> None:
        self.pointer, self.keyword, self.why = pointer, keyword, why
        super().__init__(f"no value can be made, '{keyword}' stands against it: {why}.", where=pointer or "#")

    def __reduce__(self) -> tuple[type["UnsatisfiableError"], tuple[str, str, str]]:
        """Pickle by what it was made of."""
        return UnsatisfiableError, (self.pointer, self.keyword, self.why)


class ContradictionError(Exception):
    """Two keywords that no value can keep; it does not know yet where they stand."""

    def __init__(self, keyword: str, why: str) -> None:
        self.keyword, self.why = keyword, why
        super().__init__(f"{keyword}: {why}")

    def at(self, pointer: str) -> UnsatisfiableError:
        """Return what a user is told."""
        return UnsatisfiableError(pointer, self.keyword, self.why)
