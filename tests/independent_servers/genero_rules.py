"""What Genero's pages say of entities and lists: their fields, what makes them impossible to interpret, refusals."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL = re.compile(rf"{ATOM}(?:\.{ATOM})*@{LABEL}(?:\.{LABEL})*")
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of entity: its word in messages, its key, the longest text of each field, its references."""

    rank: int
    word: str
    key: str
    fields: dict[str, int]
    references: dict[str, str]
    defaults: Item


def kind_of(rank: int, word: str, references: dict[str, str], texts: tuple[str, ...] = (), **defaults: str) -> Kind:
    """Describe a kind whose key is its word with `Id` behind it."""
    key = f"{word[0].lower()}{word[1:]}Id"
    lengths = {key: 50, "name": 100} | dict.fromkeys(references, 50) | dict.fromkeys(texts, 100)
    return Kind(rank=rank, word=word, key=key, fields=lengths, references=references, defaults=dict(defaults))


KINDS = {
    "block": kind_of(0, "Block", {}),
    "chain": kind_of(1, "Chain", {"blockId": "block"}),
    "wholesaler": kind_of(2, "Wholesaler", {"blockId": "block"}, ("salesDistrictId",)),
    "customer": kind_of(
        3,
        "Customer",
        {"wholesalerId": "wholesaler", "chainId": "chain"},
        ("customerCategoryId", "email", "phone", "prio"),
        prio="N",
    ),
    "customercontact": kind_of(4, "CustomerContact", {"customerId": "customer"}, ("email", "phone")),
}


class Problem(Exception):  # noqa: N818 - the RFC calls it so
    """A refusal, as the problem document that answers it."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers or {}
        title = TITLES.get(status, "Refused")
        self.body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}


def refuse_constant(word: str) -> Any:
    """Refuse NaN and the infinities, which JSON does not have."""
    raise ValueError(word)


def parsed(raw: bytes) -> Any:
    """Read JSON, or refuse it with the place where it goes wrong."""
    try:
        return json.loads(raw.decode(), parse_constant=refuse_constant)
    except json.JSONDecodeError as e:
        raise Problem(400, f"This is not JSON: {e.msg}.", line=e.lineno, column=e.colno) from e
    except UnicodeDecodeError as e:
        before = raw[: e.start]
        column = e.start - before.rfind(b"\n")
        raise Problem(400, "This is not UTF-8.", line=before.count(b"\n") + 1, column=column) from e
    except (ValueError, RecursionError) as e:
        raise Problem(400, "This is not JSON that can be read.", line=1, column=1) from e


LENIENT = ("trailing-comma", "first-value", "constants", "replaced-bytes", "charset-decoded")
LENIENT += ("crashes-on-syntax", "crashes-on-depth")


def leniently(bug: str, raw: bytes, charset: str | None) -> Any:
    """Read JSON with one mistake."""
    readers: dict[str, Callable[[], Any]] = {
        "trailing-comma": lambda: parsed(re.sub(rb",(\s*[\]}])", rb"\1", raw)),
        "first-value": lambda: json.JSONDecoder(parse_constant=refuse_constant).raw_decode(raw.decode())[0],
        "constants": lambda: json.loads(raw.decode()),
        "replaced-bytes": lambda: parsed(raw.decode(errors="replace").encode()),
        "charset-decoded": lambda: json.loads(raw.decode(charset or "utf-8")),
    }
    cut_off = raw[-1:] not in (b"]", b"}", b"")
    try:
        return readers.get(bug, lambda: json.loads(raw))()
    except (ValueError, RecursionError) as error:
        if (bug == "crashes-on-syntax" and cut_off) or (
            bug == "crashes-on-depth" and isinstance(error, RecursionError)
        ):
            raise
        return parsed(raw)


def salvaged(raw: bytes, key: str) -> list[Item]:
    """Collect the objects of a broken list that can still be read."""
    found, text = [], raw.decode(errors="replace")
    for at in [one.start() for one in re.finditer(r"\{", text)]:
        try:
            one = json.JSONDecoder().raw_decode(text, at)[0]
        except (ValueError, RecursionError):
            continue
        found += [one] if isinstance(one.get(key), str) else []
    return found


def text_fault(name: str, value: Any, longest: int) -> tuple[str, str] | None:
    """Tell the rule that a field's value breaks, and how."""
    if not isinstance(value, str):
        return "type", f"{name} has to be text."
    if not value:
        return "minLength", f"{name} may not be empty."
    if len(value) > longest:
        return "maxLength", f"{name} is longer than {longest}."
    if name == "email" and not EMAIL.fullmatch(value):
        return "format", f"{name} is not an address."
    return None


def item_faults(kind: Kind, item: Any) -> Iterator[tuple[str, str, str]]:
    """Yield pointer, rule and words for what makes an item impossible to interpret."""
    if not isinstance(item, dict):
        yield "", "type", "An entity has to be an object."
        return
    if kind.key not in item:
        yield "", "required", f"{kind.key} is missing."
    for name, longest in kind.fields.items():
        if name in item and (fault := text_fault(name, item[name], longest)):
            yield f"/{name}", *fault
    if not isinstance(item.get("deleted", False), bool):
        yield "/deleted", "type", "deleted has to be true or false."


def list_faults(kind: Kind, items: Any, limit: int) -> Iterator[tuple[str, str, str]]:
    """Yield the faults of a whole list, those of its items included."""
    if not isinstance(items, list):
        yield "", "type", "The entities have to be a list."
    elif not items:
        yield "", "minItems", "There is no entity in the list."
    elif len(items) > limit:
        yield "", "maxItems", f"There are more than {limit} entities in the list."
    else:
        seen: Counter[str] = Counter()
        for at, item in enumerate(items):
            yield from ((f"/{at}{where}", rule, words) for where, rule, words in item_faults(kind, item))
            key = item.get(kind.key) if isinstance(item, dict) else None
            if isinstance(key, str):
                seen[key] += 1
                if seen[key] == 2:
                    yield f"/{at}/{kind.key}", "uniqueItems", f"{kind.word} {key} is in the list twice."


def refusal(faults: list[tuple[str, str, str]]) -> Problem:
    """Group faults that are alike into one refusal."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for where, rule, words in faults:
        groups.setdefault((re.sub(r"/\d+", "", where), rule, words), []).append(where)
    errors = [
        {"pointer": places[0], "rule": rule, "detail": words, "items": len(places)}
        for (_, rule, words), places in groups.items()
    ]
    return Problem(400, f"{len(faults)} fault(s) found.", errors=errors[:100], total=len(faults))


def posted_keys(name: str, items: Any) -> set[str]:
    """Collect the keys of a list, as far as it has any."""
    items = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return {item[name] for item in items if isinstance(item.get(name), str)}


def tenant_faults(names: Any) -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a list of tenants."""
    if not isinstance(names, list):
        yield "/generoTenantIds", "type", "The tenants have to be a list."
    elif not names:
        yield "/generoTenantIds", "minItems", "There is no tenant in the list."
    else:
        for at, name in enumerate(names):
            if not isinstance(name, str):
                yield f"/generoTenantIds/{at}", "type", "A tenant has to be text."


def whole(request: web.Request, name: str, default: int, low: int, high: int | None) -> int:
    """Read a whole number from the query."""
    text = request.query.get(name, str(default))
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise query_refusal(name, "type", "A whole number is needed.")
    if int(text) < low:
        raise query_refusal(name, "minimum", f"The least is {low}.")
    if high is not None and int(text) > high:
        raise query_refusal(name, "maximum", f"The most is {high}.")
    return int(text)


def query_refusal(name: str, rule: str, words: str) -> Problem:
    """Refuse a parameter of the query."""
    error = {"pointer": "", "in": f"query:{name}", "rule": rule, "detail": words, "items": 1}
    return Problem(400, f"The parameter {name} does not fit.", errors=[error], total=1)
