"""Compare two JSON Schemas at every place: branches, members and elements. Begin with `edits`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from contracts.diff.keywords import allowed_values, compare_keywords
from contracts.diff.model import (
    TRUE_SCHEMA,
    Differences,
    KeywordChange,
    Raw,
    SchemaEdit,
    SchemaPair,
    Severity,
    ValueSetChange,
    is_same_text,
    rejects_all,
    subschema,
    union_of_names,
    violating,
)
from contracts.messages import ABSENT
from contracts.schemas.directions import HIDING_KEYWORDS
from contracts.schemas.schema_set import Schema, compiled
from contracts.syntax.text import as_mapping, listed, short, tokens_of

Pairs = Sequence[tuple[Schema | None, Schema | None]]
CONDITION_KEYWORDS: Final = ("if", "then", "else")
BRANCH_CHANGES: Final[
    Mapping[tuple[bool, bool], tuple[str, ValueSetChange]]
] = {  # (is the keyword allOf, was the branch added)
    (True, True): ("the rules{} hold too", "narrowed"),
    (True, False): ("the rules{} do not hold any more", "widened"),
    (False, True): ("the form{} fits too", "widened"),
    (False, False): ("the form{} does not fit any more", "narrowed"),
}
HIDDEN_MEMBERS: Final = [{keyword: True} for keyword in HIDING_KEYWORDS.values()]  # as directed schemas have them
BRANCH_KEYWORDS: Final = frozenset(("allOf", "anyOf", "oneOf"))


def compare_branches(pair: SchemaPair) -> Differences:
    """Yield the differences in `allOf`, `anyOf`, `oneOf`, `not` and `if`, and the pairs of subschemas to compare."""
    for keyword in ("allOf", "anyOf", "oneOf"):
        yield from _compare_list_keyword(pair, keyword)
    yield from _compare_not(pair)
    yield from _compare_condition(pair)


def _compare_list_keyword(pair: SchemaPair, keyword: str) -> Differences:
    old, new = pair.old.parts(keyword), pair.new.parts(keyword)
    if keyword != "allOf" and bool(old) is not bool(new):
        yield from _compare_choice_presence(pair, keyword, narrowed=bool(new))
        return
    for was, now in pair_subschemas(old, new):
        if was is not None and now is not None:
            yield pair.inner(was, now, keyword)
        else:
            yield from _unpaired_branch(pair, keyword, was, now)


def _compare_choice_presence(pair: SchemaPair, keyword: str, *, narrowed: bool) -> Differences:
    old, new = pair.raws
    if narrowed:
        says = "one of several forms is asked now"
        yield pair.edit(KeywordChange(keyword, "narrowed", says, in_new=violating(new, keyword)))
    else:
        says = "none of several forms is asked any more"
        yield pair.edit(KeywordChange(keyword, "widened", says, in_old=violating(old, keyword)))


def _unpaired_branch(pair: SchemaPair, keyword: str, was: Schema | None, now: Schema | None) -> Differences:
    part = now or was
    assert part is not None  # noqa: S101 - one of them is there
    name = f" '{subschema_name(part)}'" if subschema_name(part) else ""
    is_rule = keyword == "allOf"
    says, effect = BRANCH_CHANGES[is_rule, now is not None]
    if is_rule:
        breaking = {"not": {"$ref": part.ref}}
        yield pair.edit(KeywordChange(keyword, effect, says.format(name), breaking, breaking))
    else:
        was_broken, now_broken = (violating(one, keyword) for one in pair.raws)
        yield pair.edit(KeywordChange(keyword, effect, says.format(name), was_broken, now_broken), within=part)


def pair_subschemas(old: Sequence[Schema], new: Sequence[Schema]) -> Pairs:
    """Pair the subschemas of two lists: those with the same text, then the same name, then the unnamed, in order."""
    found: list[tuple[Schema | None, Schema | None]] = []
    before, after = list(old), list(new)
    for matches in (is_same_text, _has_same_name, _may_match):
        for one in [*before]:
            other = next((each for each in after if matches(one, each)), None)
            if other is not None:
                found.append((one, other))
                before.remove(one)
                after.remove(other)
    return [*found, *((one, None) for one in before), *((None, one) for one in after)]


def _has_same_name(one: Schema, other: Schema) -> bool:
    return bool(subschema_name(one)) and subschema_name(one) == subschema_name(other)


def _may_match(one: Schema, other: Schema) -> bool:
    """Say whether two subschemas may be the same: at least one has no name."""
    return not (subschema_name(one) and subschema_name(other))


def subschema_name(schema: Schema) -> str:
    """Return the name of a branch: of its component, its title, or a member with a constant; else ""."""
    uri, _, pointer = schema.ref.partition("#")
    tokens = tokens_of(pointer)
    if not tokens:
        return uri.rpartition("/")[2].partition(".")[0]
    if len(tokens) < 2 or tokens[-2] not in BRANCH_KEYWORDS:  # noqa: PLR2004 - a keyword and a number
        return tokens[-1]
    return str(schema.raw.get("title", "")) or _constant_member(schema)


def _constant_member(schema: Schema) -> str:
    members = schema.raw.get("properties")
    for name, one in members.items() if isinstance(members, Mapping) else ():
        only = allowed_values(one) if isinstance(one, Mapping) else None
        if only is not None and len(only) == 1:
            return f"{name}: {short(only[0])}"
    return ""


def _compare_not(pair: SchemaPair) -> Differences:
    old, new = pair.raws
    if "not" in old and "not" in new:
        if not is_same_text(subschema(pair.old, "not"), subschema(pair.new, "not")):
            says = "what must not fit is described otherwise"
            yield pair.edit(KeywordChange("not", "changed", says, violating(old, "not"), violating(new, "not")))
    elif "not" in new:
        yield pair.edit(KeywordChange("not", "narrowed", "something must not fit now", in_new=violating(new, "not")))
    elif "not" in old:
        yield pair.edit(
            KeywordChange("not", "widened", "nothing need be avoided any more", in_old=violating(old, "not"))
        )


def _compare_condition(pair: SchemaPair) -> Differences:
    old, new = pair.raws
    if "if" in old and "if" in new and is_same_text(subschema(pair.old, "if"), subschema(pair.new, "if")):
        yield pair.inner(subschema(pair.old, "then"), subschema(pair.new, "then"), "then")
        yield pair.inner(subschema(pair.old, "else"), subschema(pair.new, "else"), "else")
    elif "if" in old and "if" in new:
        says = "what holds under a condition is described otherwise"
        yield pair.edit(
            KeywordChange(
                "if", "changed", says, violating(old, *CONDITION_KEYWORDS), violating(new, *CONDITION_KEYWORDS)
            )
        )
    elif "if" in new:
        yield pair.edit(
            KeywordChange("if", "narrowed", "more holds under a condition", in_new=violating(new, *CONDITION_KEYWORDS))
        )
    elif "if" in old:
        yield pair.edit(
            KeywordChange("if", "widened", "less holds under a condition", in_old=violating(old, *CONDITION_KEYWORDS))
        )


UNDECLARED_NAME: Final = "unforeseen"


def compare_members(pair: SchemaPair) -> Differences:
    """Yield the differences in the members of objects, and the pairs of member schemas to compare."""
    for name in union_of_names(_keyword_map(pair.old, "properties"), _keyword_map(pair.new, "properties")):
        yield from _compare_property(pair, name)
    yield from _compare_patterns(pair)
    yield from _compare_additional(pair)
    names = (subschema(pair.old, "propertyNames"), subschema(pair.new, "propertyNames"))
    yield pair.inner(*names, "propertyNames")
    yield from _compare_unevaluated(pair)
    yield from _compare_dependent_schemas(pair)


def _keyword_map(schema: Schema, keyword: str) -> Mapping[str, object]:
    return as_mapping(schema.raw.get(keyword))


def _compare_property(pair: SchemaPair, name: str) -> Differences:
    before, after = _declared(pair.old, name), _declared(pair.new, name)
    if before is None and after is not None:
        yield from _added_member(pair, name, after)
    elif after is None and before is not None:
        yield from _removed_member(pair, name, before)
    elif before is not None and after is not None:
        yield pair.inner(before, after, "properties", name, token=name)


def _declared(schema: Schema, name: str) -> Schema | None:
    """Return the schema of a declared member, None for one that only the other side sends."""
    declared = _keyword_map(schema, "properties").get(name, ABSENT)
    return None if declared is ABSENT or declared in HIDDEN_MEMBERS else schema.inside("properties", name)


def _added_member(pair: SchemaPair, name: str, after: Schema) -> Differences:
    was = undeclared_member_schema(pair.old, name)
    if rejects_all(was):
        says = f"the member '{name}' is new"
        yield pair.edit(KeywordChange("properties", "widened", says, in_old={"required": [name]}))
    elif was.raw:
        yield pair.inner(was, after, "properties", name, token=name)
    else:
        yield pair.edit(
            KeywordChange("properties", "narrowed", f"the member '{name}' is described now"), max_severity="info"
        )


def _removed_member(pair: SchemaPair, name: str, before: Schema) -> Differences:
    now = undeclared_member_schema(pair.new, name)
    if rejects_all(now):
        says = f"the member '{name}' is refused now"
        yield pair.edit(KeywordChange("properties", "narrowed", says, in_new={"required": [name]}))
    elif now.raw:
        yield pair.inner(before, now, "properties", name, token=name)
    else:
        is_hidden = name in pair.new.unsent
        says = f"the member '{name}' is {'only for the other side now' if is_hidden else 'not described any more'}"
        least: Severity = "warning" if is_hidden or name not in pair.new.members() else "info"  # in another part
        yield pair.edit(KeywordChange("properties", "widened", says), max_severity="warning", min_severity=least)


def undeclared_member_schema(schema: Schema, name: str) -> Schema:
    """Return the schema of a member of that name that `properties` does not declare."""
    patterns = [one for one in _keyword_map(schema, "patternProperties") if _matches(one, name)]
    if patterns:
        return schema.inside("patternProperties", patterns[0])
    return subschema(schema, "additionalProperties")


def _matches(pattern: str, name: str) -> bool:
    """Say whether a pattern is found in a name, as the validator reads it; one that is invalid is not."""
    try:
        return compiled({"pattern": pattern}).is_valid(name)
    except ValueError:
        return False


def _compare_patterns(pair: SchemaPair) -> Differences:
    before, after = _keyword_map(pair.old, "patternProperties"), _keyword_map(pair.new, "patternProperties")
    for pattern in before:
        if pattern in after:
            step = ("patternProperties", pattern)
            yield pair.inner(pair.old.inside(*step), pair.new.inside(*step), *step, token="*")  # noqa: S106 - a pointer's token
    if before.keys() != after.keys():
        change = (
            f"members are described by other patterns: {listed(after)}"
            if after
            else "no members are described by patterns"
        )
        keywords = ("properties", "patternProperties", "additionalProperties")
        was, now = (violating(one, *keywords) for one in pair.raws)
        yield pair.edit(KeywordChange("patternProperties", "changed", change, was, now))


def _compare_additional(pair: SchemaPair) -> Differences:
    """Compare the schemas of undeclared members (`additionalProperties`)."""
    was, now = subschema(pair.old, "additionalProperties"), subschema(pair.new, "additionalProperties")
    closed, closing = rejects_all(was), rejects_all(now)
    if closing and not closed:
        says = "members that are not named are refused now"
        yield pair.edit(KeywordChange("additionalProperties", "narrowed", says, in_new=_with_undeclared_member(pair)))
    elif closed and not closing:
        says = "members that are not named fit too"
        yield pair.edit(KeywordChange("additionalProperties", "widened", says, in_old=_with_undeclared_member(pair)))
    elif not closed:
        yield pair.inner(was, now, "additionalProperties", _undeclared_name(pair), token="*")  # noqa: S106 - a pointer's token


def _with_undeclared_member(pair: SchemaPair) -> Raw:
    return {"required": [_undeclared_name(pair)]}


def _undeclared_name(pair: SchemaPair) -> str:
    taken = {*_keyword_map(pair.old, "properties"), *_keyword_map(pair.new, "properties")}
    name = UNDECLARED_NAME
    while name in taken:
        name += "_"
    return name


def _compare_unevaluated(pair: SchemaPair) -> Differences:
    for keyword in ("unevaluatedProperties", "unevaluatedItems"):
        was, now = subschema(pair.old, keyword), subschema(pair.new, keyword)
        if keyword in pair.old.raw or keyword in pair.new.raw:
            yield from (pair.edit(one) for one in _compare_unevaluated_keyword(pair, keyword, was, now))


def _compare_unevaluated_keyword(pair: SchemaPair, keyword: str, was: Schema, now: Schema) -> Iterator[KeywordChange]:
    old, new = pair.raws
    if was.raw == now.raw:
        return
    what = "what no other rule speaks of"
    if now is TRUE_SCHEMA or not now.raw:
        yield KeywordChange(keyword, "widened", f"{what} fits too", in_old=violating(old, keyword))
    elif was is TRUE_SCHEMA or not was.raw:
        yield KeywordChange(keyword, "narrowed", f"{what} does not always fit any more", in_new=violating(new, keyword))
    else:
        yield KeywordChange(
            keyword, "changed", f"{what} is described otherwise", violating(old, keyword), violating(new, keyword)
        )


def _compare_dependent_schemas(pair: SchemaPair) -> Iterator[SchemaEdit | SchemaPair]:
    before, after = _keyword_map(pair.old, "dependentSchemas"), _keyword_map(pair.new, "dependentSchemas")
    for name in union_of_names(before, after):
        was, now = subschema(pair.old, "dependentSchemas", name), subschema(pair.new, "dependentSchemas", name)
        yield pair.inner(was, now, "dependentSchemas", name)


def compare_elements(pair: SchemaPair) -> Differences:
    """Yield the differences in the elements of arrays, and the pairs of element schemas to compare."""
    for n in range(max(_prefix(pair.old), _prefix(pair.new))):
        yield pair.inner(_element(pair.old, n), _element(pair.new, n), "prefixItems", str(n), token=str(n))
    yield pair.inner(subschema(pair.old, "items"), subschema(pair.new, "items"), "items", token="*")  # noqa: S106 - a pointer's token
    yield from _compare_contains(pair)


def _prefix(schema: Schema) -> int:
    return len(schema.parts("prefixItems"))


def _element(schema: Schema, n: int) -> Schema:
    return subschema(schema, "prefixItems", str(n)) if n < _prefix(schema) else subschema(schema, "items")


def _compare_contains(pair: SchemaPair) -> Differences:
    old, new = pair.raws
    if "contains" in old and "contains" in new:
        yield pair.inner(subschema(pair.old, "contains"), subschema(pair.new, "contains"), "contains", token="*")  # noqa: S106 - a pointer's token
    elif "contains" in new:
        says = "some element must be of a kind now"
        yield pair.edit(KeywordChange("contains", "narrowed", says, in_new=violating(new, "contains")))
    elif "contains" in old:
        says = "no element need be of a kind any more"
        yield pair.edit(KeywordChange("contains", "widened", says, in_old=violating(old, "contains")))


COMPARERS = (compare_members, compare_elements, compare_branches)


def edits(old: Schema | None, new: Schema | None) -> list[SchemaEdit]:
    """Return how `new` differs from `old`; None stands for a schema that accepts everything.

    Each pair of schemas is compared once, at the first place where it is reached; recursive schemas end there.
    """
    found: list[SchemaEdit] = []
    seen: set[tuple[Schema, Schema]] = set()
    waiting = [SchemaPair(old or TRUE_SCHEMA, new or TRUE_SCHEMA)]
    while waiting:
        pair = waiting.pop()
        if (pair.old, pair.new) in seen or pair.old.raw is pair.new.raw:
            continue
        seen.add((pair.old, pair.new))
        inner: list[SchemaPair] = []
        for one in _differences(pair):
            (inner if isinstance(one, SchemaPair) else found).append(one)  # type: ignore[arg-type] # each goes to its own list
        waiting += reversed(inner)
    return found


def _differences(pair: SchemaPair) -> Iterator[SchemaEdit | SchemaPair]:
    whole = _compare_boolean_schemas(pair)
    if whole is not None:
        yield pair.edit(whole)
        return
    if rejects_all(pair.old):
        return
    yield from map(pair.edit, compare_keywords(*pair.raws))
    yield from _compare_defaults(pair)
    for compare in COMPARERS:
        yield from compare(pair)


def _compare_boolean_schemas(pair: SchemaPair) -> KeywordChange | None:
    """Return the change when only one side accepts no value at all, None otherwise."""
    before, after = rejects_all(pair.old), rejects_all(pair.new)
    if before is after:
        return None
    if after:
        return KeywordChange("schema", "narrowed", "no value fits any more", in_new={})
    return KeywordChange("schema", "widened", "a value fits now", in_old={})


def _compare_defaults(pair: SchemaPair) -> Iterator[SchemaEdit]:
    """Yield changes of `default`, the meaning of an absent value, which no validation shows."""
    before, after = (raw.get("default", ABSENT) for raw in pair.raws)
    if before != after and before is not ABSENT:
        now = "no value" if after is ABSENT else short(after)
        says = f"an absent value means {now}, not {short(before)}"
        yield pair.edit(KeywordChange("default", "changed", says), max_severity="warning", min_severity="warning")
