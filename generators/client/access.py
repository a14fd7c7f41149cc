"""Give up when a server refuses every request in one way: `AccessGuard`, and `require_admitted` for campaigns."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from contracts.errors import MisuseError
from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.openapi.model import ClientIdentity, Operation
from contracts.openapi.security import PLACEHOLDER

MIN_REFUSALS: Final = 25  # responses that must all be one refusal before the run is given up
MIN_REFUSALS_AT_END: Final = 5  # the same at the end of a run
NOT_FOUND: Final = 404
WITHOUT_CREDENTIALS: Final = 401
MIN_REFUSED_SHARE: Final = 0.9  # of a campaign's requests: some laws act as clients that the document names
REFUSALS: Final = {
    404: ("the API was not found there", "Give the server's root URL with --url, or the API's base path with --mount."),
    401: ("credentials are required that are known there", "Give them with --auth or --header."),
    403: ("these credentials are not sufficient", "Give others with --auth or --header."),
}


class AccessGuard:
    """Counts responses by status, and raises MisuseError when all of them are the same refusal.

    `operations` are those that are requested; when all of them name one record, 404 may mean a missing record.
    Operations without security requirements are not counted where others have some: they may issue credentials.
    `base` is the URL in the error message, `clients` are those whose credentials it names: in the field
    `key_field`, where the API has keys and nothing else, else as `Authorization`.
    """

    def __init__(
        self,
        base: str,
        operations: Sequence[Operation],
        clients: Sequence[ClientIdentity] = (),
        key_field: str | None = None,
    ) -> None:
        self._base, self._clients, self._key_field = base, clients, key_field
        self._seen: Counter[int] = Counter()
        guarded = {one.id for one in operations if one.security}
        self._counted = guarded or {one.id for one in operations}
        self._may_be_missing = all(one.path.endswith("}") for one in operations if one.id in self._counted)

    def note(self, operation: str, statuses: Mapping[int, int]) -> None:
        """Count an operation's responses by status. Raises MisuseError."""
        if operation in self._counted:
            before = self._seen.total()
            self._seen.update(statuses)
            if before < MIN_REFUSALS <= self._seen.total():
                self.require_access()

    def require_access(self) -> None:
        """Raise MisuseError when no response was a success, and mostly or only one refusal was received."""
        total = self._seen.total()
        if total < MIN_REFUSALS_AT_END or any(status in SUCCESS_STATUS for status in self._seen):
            return
        status, number = self._seen.most_common(1)[0]
        if status == NOT_FOUND and (number < total or self._may_be_missing):
            return
        if status in REFUSALS:
            raise _refusal(status, (number, total), self._base, self._clients, self._key_field)


def _refusal(
    status: int, counts: tuple[int, int], base: str, clients: Sequence[ClientIdentity], key_field: str | None
) -> MisuseError:
    fact, cure = REFUSALS[status]
    number, total = counts
    which = "all" if number == total else f"{number} of"
    says = f"{which} {total} requests were answered with {status}: {fact}."
    option = "--auth '" if key_field is None else f"--header '{key_field}: "
    named = [f"{option}{one.auth}' ({one.name})" for one in clients if _is_public(one) and status != NOT_FOUND]
    if key_field is not None and status != NOT_FOUND:
        cure = f"Give the API key with --header '{key_field}: KEY'."
    return MisuseError(
        says, where=base, cure=f"{cure} The document names test clients: {', '.join(named)}." if named else cure
    )


def _is_public(client: ClientIdentity) -> bool:
    """Say whether the document has the credentials of a test client that is admitted."""
    return client.refused is None and client.auth != "" and PLACEHOLDER not in client.auth


def is_refused(refused: int, calls: int, least: int) -> bool:
    """Say whether nearly all of a campaign's requests, `least` of them or more, were answered with 401."""
    return calls >= least and refused >= MIN_REFUSED_SHARE * calls


def require_admitted(
    refused: int, calls: int, base: str, clients: Sequence[ClientIdentity], key_field: str | None = None
) -> None:
    """Raise MisuseError when nearly all of a campaign's requests were answered with 401."""
    if is_refused(refused, calls, MIN_REFUSALS):
        raise _refusal(WITHOUT_CREDENTIALS, (refused, calls), base, clients, key_field)
