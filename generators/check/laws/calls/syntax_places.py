"""The part of the law `malformed` on places: a refusal tells line and column of what is no JSON, counted from 1.

Begin with `misplaced`. It is judged where the contract says where they are told (`x-syntax-errors`), with bodies in
which any reader stops at the same character, and which are ASCII.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from contracts.exchange.locations import find, json_of
from contracts.messages import ABSENT, Request, Response
from contracts.openapi.model import Contract, Operation
from generators.client.session import Session
from generators.oracles.findings import Finding, new_finding

REFUSED: Final = range(400, 429)
WRONG: Final = "?"  # no JSON value begins with it
VALUE: Final = re.compile(r'(?<=": )(?=[^\s\[{])')  # where the value of a member begins
PLACE: Final = re.compile(r"\bline\D{1,3}(\d+)\D{1,9}\bcolumn\D{1,3}(\d+)", re.IGNORECASE)
Place: TypeAlias = tuple[int, int]  # line and column


def misplaced(session: Session, operation: Operation, request: Request) -> Iterator[Finding]:
    """Send a request with a wrong character in the middle and at the end, and judge where the refusals say it is."""
    data = json_of(request.body)
    for body, place in _bodies(data) if session.contract.syntax_errors and data is not ABSENT else ():
        exchange = session.probe(replace(request, body=body.encode()))
        told = _told(session.contract, exchange.response)
        if exchange.response.status in REFUSED and told != place:
            shape = "a syntax error is told elsewhere" if told else "a syntax error is told without its place"
            where = f"told at line {told[0]}, column {told[1]}" if told else "told without its place"
            says = f"a wrong character in line {place[0]}, column {place[1]} of a body is {where}"
            yield new_finding("malformed", operation.id, shape, says, [exchange])
            return


def _bodies(data: object) -> Iterator[tuple[str, Place]]:
    """Yield bodies with a wrong character, and its place, whose line and column differ."""
    text = json.dumps(data, indent=2)
    values = [(at, _place(text, at)) for at in (found.start() for found in VALUE.finditer(text))]
    for at, place in [one for one in values if one[1][0] not in {1, *one[1][1:]}][-1:]:
        yield f"{text[:at]}{WRONG}{text[at:]}", place
    longer = f"{text}\n\n {WRONG}"
    yield longer, _place(longer, len(longer) - 1)


def _place(text: str, at: int) -> Place:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _told(contract: Contract, response: Response) -> Place | None:
    """Return the place that a refusal tells, None when it tells none."""
    declared = contract.syntax_errors
    if "text" in declared:
        found = PLACE.search(str(find(response.data, declared["text"])))
        return (int(found[1]), int(found[2])) if found is not None else None
    line, column = find(response.data, declared["line"]), find(response.data, declared["column"])
    return (line, column) if isinstance(line, int) and isinstance(column, int) else None
