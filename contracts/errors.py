"""The exceptions of Bulkproof: misuse and broken configuration, never bad data.

    BulkproofError            a fact, where it is, and the cure
    ├── ContractError         an OpenAPI document that cannot be loaded: one Fault per mistake
    ├── ScenarioError         a scenario document that cannot be loaded: one Fault per mistake
    ├── MisuseError           an option, a name or a file that does not fit
    └── NotApplicableError    what cannot be made or tried (in `generators.errors`)
        └── UnsatisfiableError    a schema that no value can be made for

Bad data is not an exception: validation returns Violations (`contracts.schemas.violations`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One mistake in a file: the file and JSON Pointer, what is wrong, and how to correct it.

    `mended` says what is done about it until it is corrected; "" for a mistake that refuses the file.
    """

    file: str
    pointer: str
    fact: str
    cure: str
    mended: str = ""

    def __str__(self) -> str:
        """Return the fault in one line."""
        place = f"{self.file}#{self.pointer}" if self.pointer else self.file
        return " ".join(part for part in (f"{place}:", self.fact, self.mended, self.cure) if part)


class BulkproofError(Exception):
    """The root of the tree: `fact`, `where` and `cure`; `str()` is the message for users."""

    def __init__(self, fact: str, *, where: str = "", cure: str = "") -> None:
        self.fact, self.where, self.cure = fact, where, cure
        super().__init__(" ".join(part for part in (f"{where}:" if where else "", fact, cure) if part))


class FaultyFileError(BulkproofError):
    """A file with at least one `Fault`, all of them in `faults`."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(map(str, faults)))


class ContractError(FaultyFileError):
    """An OpenAPI document that cannot be loaded."""


class ScenarioError(FaultyFileError):
    """A scenario document that cannot be loaded."""


class MisuseError(BulkproofError):
    """An option, a name or a file that does not fit."""
