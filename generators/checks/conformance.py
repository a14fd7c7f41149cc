"""Holding every reply to its contract: status, headers, content type, schema; and no fault of the server's own."""

import re
from collections.abc import Iterator
from typing import Final

from contracts.findings import Violation
from contracts.messages import Exchange
from contracts.model import Contract
from contracts.validation import check_reply
from generators.caller import NoAnswerError
from generators.checks.findings import Finding

CHECK: Final = "response"
SAYS: Final = "Every response matches the contract: status, headers, content type and schema."
SERVER_FAULT: Final = 500
TOO_MUCH: Final = frozenset((408, 413, 414, 431))  # what any server may say to a request that is too much for it
INDEX: Final = re.compile(r"/\d+")


def check_response(contract: Contract, exchange: Exchange) -> Iterator[Finding]:
    """Yield how a reply breaks its contract, once for each kind of breach; a call of no operation is not judged."""
    operation = contract.operation(exchange.operation or "")
    if operation is None:
        return
    if exchange.reply.status >= SERVER_FAULT:
        says = f"The server answered {exchange.reply.status} to {exchange.call.method} {exchange.call.path}."
        yield _finding(exchange, f"status {exchange.reply.status}", says)
        return
    if exchange.reply.status in TOO_MUCH and operation.response(exchange.reply.status) is None:
        return
    for violation in check_reply(operation, exchange.reply):
        place = INDEX.sub("/*", violation.pointer)
        shape = f"{exchange.reply.status} {violation.where} {place} {violation.rule}"
        yield _finding(exchange, shape, _said(exchange, violation))


def unanswered(operation: str, error: NoAnswerError) -> Finding:
    """Return the finding that a call was not answered at all."""
    return Finding(law=CHECK, operation=operation, shape="no answer", says=f"A request got no response: {error}.")


def _said(exchange: Exchange, violation: Violation) -> str:
    at = f" at {violation.pointer}" if violation.pointer else ""
    return (
        f"The response {exchange.reply.status} violates the contract in its {violation.where}{at}: {violation.detail}"
    )


def _finding(exchange: Exchange, shape: str, says: str) -> Finding:
    return Finding(law=CHECK, operation=exchange.operation or "", shape=shape, says=says, evidence=(exchange,))
