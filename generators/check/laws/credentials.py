"""The law on credentials: a call without valid ones is refused as declared, without an effect and without a record.

Begin with `credentials`. Schemes are those of the OpenAPI Specification; challenges are RFC 9110, 11.6.1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.messages import Exchange, Request
from contracts.openapi.model import Contract, Operation
from contracts.openapi.security import EMPTY_TOKEN, WRONG_BY_SCHEME, as_client, scheme_of, without_credentials
from contracts.openapi.validation import validate_response
from generators.check.specimens import carry_out, specimen_of, specimen_or_request
from generators.client.session import Session
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding
from generators.oracles.response_laws import SERVER_FAULT

LAW: Final = "credentials"
UNAUTHORIZED: Final = 401
QUOTED: Final = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A request that must be refused: what it is sent with, and the status that is declared for it, if one is."""

    what: str
    request: Request
    status: int | None = None


def needs_credentials(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation asks for credentials, or refuses some that are declared."""
    is_optional = not operation.security or not all(operation.security)
    return not is_optional or (bool(operation.security) and any(one.refused and one.auth for one in contract.clients))


def credentials(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a valid request without credentials, and with wrong ones; then look for what it did."""
    specimen = specimen_or_request(session, operation)
    statuses = set()
    for one in _attempts(session, operation, specimen.request):
        exchange = session.probe(one.request)
        statuses.add(exchange.response.status)
        yield from _judged(session.contract, operation, one, exchange)
        told = next((text for text in specimen.hidden if text.encode() in exchange.response.body), None)
        if told is not None and exchange.response.status not in SUCCESS_STATUS:
            says = f"a request with {one.what} was refused, but the answer has what is stored: '{told}'"
            yield _finding(operation, "a refusal shows a record", says, exchange)
    if not statuses:
        raise NotApplicableError("the sandbox is set to ask for no credentials")
    if specimen.before and statuses.isdisjoint(SUCCESS_STATUS):
        carry_out(session, specimen_of(session, operation))
        trace = specimen.trace()
        if trace is not None and trace.exchange is not None:
            says = "a request without valid credentials was refused, but it was carried out"
            yield _finding(operation, "a refused request leaves a trace", says, trace.exchange)


def _attempts(session: Session, operation: Operation, request: Request) -> Iterator[Attempt]:
    contract = session.contract
    scheme = contract.security_schemes.get(next(iter(operation.security[0]), ""), {})
    word = scheme_of(scheme)
    if all(operation.security) and session.asks_for_credentials:
        yield Attempt(what="no credentials", request=without_credentials(contract, operation, request))
        if word == "bearer":
            yield Attempt(what="an empty token", request=as_client(contract, operation, request, EMPTY_TOKEN))
        wrong = WRONG_BY_SCHEME.get(word)
        if wrong is not None and session.has_valid_credentials(operation):
            sent = as_client(contract, operation, request, wrong)
            yield Attempt(what="credentials that nobody has", request=sent)
    for client in contract.clients:
        if client.auth and client.refused is not None:
            sent = as_client(contract, operation, request, client.auth)
            yield Attempt(what=f"the credentials of {client.name}", request=sent, status=client.refused)


def _judged(contract: Contract, operation: Operation, attempt: Attempt, exchange: Exchange) -> Iterator[Finding]:
    """Yield what is wrong with the answer to a request that must be refused."""
    response, status = exchange.response, exchange.response.status
    if status in SUCCESS_STATUS or status >= SERVER_FAULT:
        shape = f"{attempt.what} accepted" if status in SUCCESS_STATUS else f"{attempt.what} answered {status}"
        says = f"a request with {attempt.what} was answered with {status} instead of being refused"
        yield _finding(operation, shape, says, exchange)
        return
    if attempt.status is not None and status != attempt.status:
        says = f"a request with {attempt.what} was refused with {status}, but {attempt.status} is declared"
        yield _finding(operation, f"{attempt.what} refused with {status}", says, exchange)
    for violation in validate_response(operation, response) if operation.response(status) is not None else ():
        says = f"a request with {attempt.what} was refused with {status}, "
        says += f"which violates the contract in its {violation.where}: {violation.detail.rstrip('.')}"
        yield _finding(operation, f"{status} {violation.where} {violation.rule}", says, exchange)
    schemes = [scheme_of(contract.security_schemes.get(name, {})) for wanted in operation.security for name in wanted]
    asked = response.headers.get("WWW-Authenticate")
    if status == UNAUTHORIZED and asked and all(schemes) and not _schemes_in(asked) & set(schemes):
        wanted = " or ".join(dict.fromkeys(schemes))
        says = f"a request with {attempt.what} is asked for '{asked}', but {wanted} is declared"
        yield _finding(operation, "another scheme is asked for", says, exchange)


def _schemes_in(challenge: str) -> set[str]:
    """Return the words of a challenge that may be authentication schemes, in lower case."""
    return {one.strip().partition(" ")[0].lower() for one in QUOTED.sub("", challenge).split(",")}


def _finding(operation: Operation, shape: str, says: str, exchange: Exchange) -> Finding:
    sentence = f"{says[:1].upper()}{says[1:]}."
    return Finding(law=LAW, operation=operation.id, shape=shape, says=sentence, evidence=(exchange,))
