"""Schemas of every keyword, and a second validator with an opinion on every format."""

import re

from jsonschema import Draft202012Validator, FormatChecker
from rfc3986_validator import validate_rfc3986

FORMATS = (
    *(
        "uuid",
        "date-time",
        "date",
        "time",
        "email",
        "idn-email",
        "uri",
        "uri-reference",
        "iri",
        "iri-reference",
        "hostname",
    ),
    *("idn-hostname", "ipv4", "ipv6", "duration", "json-pointer", "relative-json-pointer", "regex", "uri-template"),
)
SCHEMAS = {
    "const": {"const": {"a": [1, None]}},
    "enum": {"enum": ["a", 1, None, {"b": 2}]},
    "types": {"type": ["string", "null", "boolean"]},
    "lengths": {"type": "string", "minLength": 3, "maxLength": 5},
    "long": {"type": "string", "minLength": 70_000, "maxLength": 70_001},
    "pattern": {"type": "string", "pattern": r"^[A-Z]{3}-\d{4,6}(\.[a-z]+)?$"},
    "loose pattern": {"type": "string", "pattern": r"foo|ba[rz]\d", "minLength": 12, "maxLength": 14},
    "pattern of a length": {"type": "string", "pattern": "^(ab|[0-9]{3})+x?$", "minLength": 9, "maxLength": 20},
    "back reference": {"type": "string", "pattern": r"^(\w)x\1(?:-(\d+))?$"},
    "look-ahead": {"type": "string", "pattern": r"^(?=.*[0-9])(?!0)[a-z0-9]{4,8}$"},
    "unicode pattern": {"type": "string", "pattern": r"^\p{Lu}\p{Script=Greek}{2}[^\x20-\x7e]\u0041\/$"},
    "bounds": {"type": "integer", "minimum": -3, "exclusiveMaximum": 3},
    "fractions": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.01},
    "steps": {"type": "number", "multipleOf": 0.125, "minimum": 1, "maximum": 2},
    "whole steps": {"type": "integer", "multipleOf": 7, "minimum": 10**20},
    "open below": {"type": "integer", "maximum": -5000},
    "int32": {"type": "integer", "format": "int32", "minimum": 2**31 - 2},
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
    "contains": {
        "type": "array",
        "contains": {"const": 7},
        "items": {"type": "integer"},
        "minContains": 2,
        "maxContains": 3,
    },
    "unique": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
    "unique objects": {
        "type": "array",
        "items": {"type": "object", "properties": {"a": {"type": "boolean"}}},
        "uniqueItems": True,
    },
    "open object": {"type": "object", "minProperties": 2, "maxProperties": 3},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}, "propertyNames": {"pattern": "^[A-Z]+$"}},
    "patterned names": {
        "type": "object",
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
    },
    "named and patterned": {
        "required": ["x-a"],
        "properties": {"x-a": {"minimum": 3}},
        "patternProperties": {"^x": {"type": "integer"}},
    },
    "dependent": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "integer"}},
        "dependentRequired": {"a": ["b"], "b": ["c"]},
        "dependentSchemas": {"c": {"required": ["d"], "properties": {"d": {"const": 1}}}},
    },
    "all of": {"allOf": [{"type": "integer", "minimum": 3}, {"multipleOf": 2}, {"multipleOf": 3, "maximum": 40}]},
    "two patterns": {"type": "string", "allOf": [{"pattern": "^a"}, {"pattern": "[0-9]$"}]},
    "closed twice": {
        "allOf": [
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
                "additionalProperties": False,
            },
            {"properties": {"b": {"minimum": 3}, "c": True}, "required": ["b"]},
        ]
    },
    "any of": {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 5}]},
    "one of": {
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    },
    "one of overlapping": {"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 3}]},
    "not": {"type": "integer", "not": {"multipleOf": 2}},
    "not a type": {"not": {"type": ["object", "string", "array"]}},
    "not a shape": {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"enum": [1, 2]}},
        "not": {"properties": {"a": {"const": 1}}, "required": ["a"]},
    },
    "if": {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": ["A", "B", "C"]}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": "A"}}},
                "then": {"required": ["a"], "properties": {"a": {"type": "integer"}}},
            },
            {
                "if": {"properties": {"kind": {"const": "B"}}},
                "then": {"required": ["b"]},
                "else": {"properties": {"b": False}},
            },
        ],
        "unevaluatedProperties": {"type": "boolean"},
    },
    "unevaluated items": {
        "allOf": [{"prefixItems": [{"type": "string"}]}],
        "type": "array",
        "unevaluatedItems": {"type": "null"},
    },
    "tree": {
        "$defs": {
            "tree": {
                "type": "object",
                "required": ["value"],
                "properties": {
                    "value": {"type": "integer"},
                    "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                },
            }
        },
        "$ref": "#/$defs/tree",
    },
    "expression": {
        "anyOf": [
            {
                "type": "array",
                "prefixItems": [{"enum": ["+", "*"]}, {"$ref": "#"}, {"$ref": "#"}],
                "minItems": 3,
                "maxItems": 3,
            },
            {"type": "integer"},
        ]
    },
    "endless branch": {
        "anyOf": [{"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/anyOf/0"}}}, {"type": "null"}]
    },
    "anything": True,
    "nothing said": {},
    **{f"format {name}": {"type": "string", "format": name} for name in FORMATS},
    "format and length": {"type": "string", "format": "date-time", "maxLength": 20},
    "format and pattern": {"type": "string", "format": "date-time", "pattern": r"^.{19}\.[0-9]{7}Z$"},
}


OPINIONS = FormatChecker(())
OPINIONS.checkers.update(Draft202012Validator.FORMAT_CHECKER.checkers)
UCSCHAR = re.compile(
    "[\xa0-\ud7ff\uf900-\ufdcf\ufdf0-\uffef"
    + "".join(f"{chr(plane << 16)}-{chr((plane << 16) + 0xFFFD)}" for plane in range(1, 14))
    + "\U000e1000-\U000efffd]"
)


def is_iri(text, rule):
    """RFC 3987, section 3.1: an IRI is a URI once its characters beyond ASCII are percent-encoded."""
    return bool(validate_rfc3986(UCSCHAR.sub("%C3%A9", text), rule=rule))


@OPINIONS.checks("iri")
def _is_iri(value):
    return not isinstance(value, str) or is_iri(value, "URI")


@OPINIONS.checks("iri-reference")
def _is_iri_reference(value):
    return not isinstance(value, str) or is_iri(value, "URI_reference")


EMAIL = re.compile(r"[^@\s]+@[^@\s.]+([.][^@\s.]+)*")


@OPINIONS.checks("email")
@OPINIONS.checks("idn-email")
def _is_email(value):
    """RFC 5321, as far as texts without quotes go: the library asks for nothing but an `@`."""
    return not isinstance(value, str) or EMAIL.fullmatch(value) is not None


def second_opinion(schema):
    """Return the validator of another implementation, with an opinion on every format."""
    return Draft202012Validator(schema, format_checker=OPINIONS)
