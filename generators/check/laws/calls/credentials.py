"""The laws on credentials: a call without valid ones is refused as declared, without a trace.

Begin with `credentials`, which is also about who may fetch tokens, and `expiry`. Schemes are those of the OpenAPI
Specification; challenges are RFC 9110, 11.6.1; tokens are those of the client credentials grant of OAuth 2.0 (RFC 6749,
4.4 and 5.1), their lifetime is `expires_in`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from contracts.exchange.job_traces import SUCCESS_STATUS
from contracts.messages import Exchange, Request, essence
from contracts.openapi.model import ClientIdentity, Contract, Operation
from contracts.openapi.security import (
    EMPTY_TOKEN,
    UNKNOWN,
    WRONG_BY_SCHEME,
    as_client,
    scheme_of,
    similar_credentials,
    without_credentials,
)
from contracts.openapi.validation import validate_response
from contracts.syntax.text import as_mapping, format_duration
from generators.check.specimens import carry_out, specimen_of, specimen_or_request
from generators.client.session import Session, let_pass
from generators.errors import NotApplicableError
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import SERVER_FAULT

LAW: Final = "credentials"
EXPIRY: Final = "expiry"
LEEWAY: Final = timedelta(minutes=5)  # that servers may leave between clocks before a token has expired
MAX_LIFETIME: Final = 366 * 24 * 3600  # seconds of a token that are waited
UNAUTHORIZED: Final = 401
FORM: Final = "application/x-www-form-urlencoded"
QUOTED: Final = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A request that must be refused: what it is sent with, and the status that is declared for it, if one is."""

    what: str
    request: Request
    status: int | None = None


def needs_credentials(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation asks for credentials, refuses some that are declared, or hands out tokens."""
    if not operation.security:
        return issues_tokens(contract, operation) or _takes_secrets(operation)
    return all(operation.security) or any(one.refused and one.auth for one in contract.clients)


def credentials(session: Session, operation: Operation) -> Iterator[Finding]:
    """Send a valid request without credentials, and with wrong ones; then look for what it did."""
    if not operation.security:
        yield from _token_requests(session, operation)
        return
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
    refused = [one for one in contract.clients if one.auth and one.refused is not None]
    for client in refused:
        sent = as_client(contract, operation, request, client.auth)
        yield Attempt(what=f"the credentials of {client.name}", request=sent, status=client.refused)
    known = {one.auth: one.name for one in contract.clients if one.auth and one.refused is None}
    for auth, name in _of_each_scheme(contract, operation, known).items() if refused else ():
        for what, similar in similar_credentials(auth).items():
            if similar not in known:
                sent = as_client(contract, operation, request, similar)
                yield Attempt(what=f"the credentials of {name} {what}", request=sent, status=refused[0].refused)


def _of_each_scheme(contract: Contract, operation: Operation, known: Mapping[str, str]) -> dict[str, str]:
    """Return the first of the clients by their credentials, and the first of each scheme that an operation takes."""
    schemes = [scheme_of(contract.security_schemes.get(name, {})) for wanted in operation.security for name in wanted]
    words = {one: one.rpartition(" ")[0].lower() for one in known}
    first = [next((one for one, word in words.items() if word == scheme), "") for scheme in schemes if schemes[0]]
    return {one: known[one] for one in (*list(known)[:1], *first) if one in known}


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
    if status == UNAUTHORIZED and asked and schemes and all(schemes) and not _schemes_in(asked) & set(schemes):
        wanted = " or ".join(dict.fromkeys(schemes))
        says = f"a request with {attempt.what} is asked for '{asked}', but {wanted} is declared"
        yield _finding(operation, "another scheme is asked for", says, exchange)


def _token_requests(session: Session, operation: Operation) -> Iterator[Finding]:
    """Ask for tokens with secrets that are almost right (RFC 6749, 5.2), and use those of clients with limits."""
    target = next(guarded(session.contract, operation), None)
    call = specimen_or_request(session, target).request if target is not None else None
    if call is not None and session.probe(with_token(call, UNKNOWN)).response.status != UNAUTHORIZED:
        raise NotApplicableError("tokens that nobody has are not refused")
    request = specimen_or_request(session, operation).request
    own = _forms(operation)[-1]  # the last example: the law on quotas uses up the tokens of the first
    is_form = essence(request.headers.get("Content-Type")) == FORM
    form = {**dict(parse_qsl(request.body.decode())), **own} if is_form else {}
    secrets = similar_credentials(str(form.get("client_secret", "")))
    wrong = {f"the secret {what}": {"client_secret": secret} for what, secret in secrets.items()}
    for what, fields in {**wrong, "an id that nobody has": {"client_id": UNKNOWN}}.items():
        sent = replace(request, body=urlencode({**form, **fields}).encode())
        yield from _judged(session.contract, operation, Attempt(what=what, request=sent), session.probe(sent))
    for one in session.contract.clients if call is not None else ():
        if call is not None and one.auth and one.refused is None:
            yield from _limits_of_token(session, operation, one, call)


def _limits_of_token(
    session: Session, operation: Operation, client: ClientIdentity, call: Request
) -> Iterator[Finding]:
    """Yield when a token that a client fetches by an example of the operation reaches more than the client may."""
    target = next(guarded(session.contract, operation))
    fields = {one.name for one in target.parameters if one.where == "query"}
    apart = {
        name: next((one for one in session.contract.scopes[name] if one not in allowed), None)
        for name, allowed in client.scopes.items()
        if name in fields
    }
    own = [one for one in _forms(operation) if one.get("client_id") == client.name]
    for name, there in apart.items() if own else ():
        query = (*(pair for pair in call.query if pair[0] != name), (name, str(there)))
        asked = replace(call, query=query)
        fixed = session.probe(as_client(session.contract, target, asked, client.auth))
        request = replace(specimen_or_request(session, operation).request, body=urlencode(own[0]).encode())
        fetched = session.probe(request)
        token = as_mapping(fetched.response.data).get("access_token")
        if fixed.response.status in SUCCESS_STATUS or not isinstance(token, str):
            continue
        reached = session.probe(with_token(asked, token))
        if there is not None and reached.response.status in SUCCESS_STATUS:
            says = f"a token that {client.name} fetched reaches {name} {there}, which {client.name} may not"
            yield _finding(operation, "a token reaches more than its client", says, fetched, reached)


def _forms(operation: Operation) -> list[Mapping[str, object]]:
    """Return the examples of an operation's forms, and one of no form in front."""
    content = operation.body.content if operation.body is not None else ()
    return [{}, *(one for media in content for one in map(as_mapping, media.examples.values()))]


def _takes_secrets(operation: Operation) -> bool:
    """Say whether an operation takes the secret of a client in a form, and declares how it refuses a wrong one."""
    return str(UNAUTHORIZED) in operation.responses and any("client_secret" in one for one in _forms(operation))


def issues_tokens(contract: Contract, operation: Operation) -> bool:
    """Say whether an operation hands out the tokens that other operations ask for."""
    return next(guarded(contract, operation), None) is not None


def guarded(contract: Contract, operation: Operation) -> Iterator[Operation]:
    """Yield the operations that a token is asked for, and that change nothing, those that list records first."""
    flows = {name: one.get("flows") for name, one in contract.security_schemes.items() if one.get("type") == "oauth2"}
    grants = {name: one.get("clientCredentials", {}) for name, one in flows.items() if isinstance(one, Mapping)}
    urls = {name: grant.get("tokenUrl") for name, grant in grants.items()}
    path = contract.mount + operation.path
    own = {name for name, url in urls.items() if operation.method == "POST" and urlsplit(str(url)).path == path}
    reading = [one for one in contract.operations if one.method == "GET" and one.security]
    is_list = {one.id: one.record is not None and one.record.action.constant == "list" for one in reading}
    for one in sorted(reading, key=lambda one: not is_list[one.id]):
        if any(name in own for wanted in one.security for name in wanted):
            yield one


def expiry(session: Session, operation: Operation) -> Iterator[Finding]:
    """Fetch a token, and send a call with it before and after its lifetime; `LEEWAY` is left between clocks."""
    token, lifetime = _fetched(session, operation)
    call = specimen_or_request(session, next(guarded(session.contract, operation))).request
    statuses = [session.probe(with_token(call, one)).response.status for one in (token, UNKNOWN)]
    if statuses[0] == UNAUTHORIZED or statuses[1] != UNAUTHORIZED:
        raise NotApplicableError("tokens that nobody has are not refused" if statuses[1] != UNAUTHORIZED else "")
    another = session.exchange(specimen_or_request(session, operation).request)
    exchange = session.probe(with_token(call, token))
    if another.response.status in SUCCESS_STATUS and exchange.response.status == UNAUTHORIZED:
        says = "a token was refused as soon as another one had been fetched, before it expired"
        yield _finding(operation, "a token ends with the next one", says, exchange, law=EXPIRY)
        return
    before = lifetime - LEEWAY
    if session.controlled and before > timedelta(0):
        let_pass(session, before)
        exchange = session.probe(with_token(call, token))
        if exchange.response.status == UNAUTHORIZED:
            says = f"a token that is good for {format_duration(lifetime)} was refused after {format_duration(before)}"
            yield _finding(operation, "a token is refused before it expires", says, exchange, law=EXPIRY)
            return
        lifetime = LEEWAY
    let_pass(session, lifetime + LEEWAY)
    exchange = session.probe(with_token(call, token))
    if exchange.response.status != UNAUTHORIZED and exchange.response.status < SERVER_FAULT:
        says = f"a token was accepted {format_duration(LEEWAY)} after it had expired ({exchange.response.status})"
        yield _finding(operation, "an expired token is accepted", says, exchange, law=EXPIRY)


def _fetched(session: Session, operation: Operation) -> tuple[str, timedelta]:
    """Return a new token with its lifetime. Raises NotApplicableError."""
    response = session.send(specimen_or_request(session, operation).request).response
    if response.status not in SUCCESS_STATUS or not isinstance(response.data, Mapping):
        raise NotApplicableError(f"no token is handed out ({response.status})")
    token, seconds = response.data.get("access_token"), response.data.get("expires_in")
    if not isinstance(token, str) or not isinstance(seconds, int) or not 0 < seconds <= MAX_LIFETIME:
        raise NotApplicableError("the lifetime of a token is not told")
    return token, timedelta(seconds=seconds)


def with_token(request: Request, token: str) -> Request:
    """Return a request with another token."""
    return replace(request, headers=request.headers.with_(("Authorization", f"Bearer {token}")))


def _schemes_in(challenge: str) -> set[str]:
    """Return the words of a challenge that may be authentication schemes, in lower case."""
    return {one.strip().partition(" ")[0].lower() for one in QUOTED.sub("", challenge).split(",")}


def _finding(operation: Operation, shape: str, says: str, *exchanges: Exchange, law: str = LAW) -> Finding:
    return new_finding(law, operation.id, shape, says, exchanges)
