"""The `genero` section of a sandbox's settings: the limit on items, the tenants, and each tenant's import settings."""

from collections.abc import Mapping
from typing import Any, Final

from mockserver.turn import Turn
from mockserver.world import World

NO_OF_ITEMS: Final = 5000  # the vendor's NoOfItems: the longest batch

SWITCHES: Final[Mapping[str, bool]] = {
    "DoUpdateWholesaler": True,
    "DoUpdateCustomerCategory": True,
    "DoUpdateEmail": True,
    "DoUpdatePhone": True,
    "DoUpdatePrio": True,
    "DoUpdateChain": True,
    "DoUpdateBlock": True,
    "DoUpdateSalesDistrict": False,
    "DoCreateSalesDistrict": False,
}
FILLINGS: Final[Mapping[str, str]] = {
    "DefaultWholesalerId": "",
    "DefaultCustomerCategory": "",
    "DefaultPrio": "N",
    "DefaultChainId": "",
    "DefaultBlockId": "",
    "DefaultRegionId": "",
}
LONGEST: Final[Mapping[str, int]] = {"DefaultCustomerCategory": 100, "DefaultPrio": 100}  # the others are keys, 50
SHORTEST: Final[Mapping[str, int]] = {"DefaultPrio": 1}  # a new customer always has one
NO_EFFECT: Final[Mapping[str, str]] = {
    "DoCreateSalesDistrict": "Kept for the client's sake: sales districts are no entities here.",
    "DefaultRegionId": "Kept for the client's sake: regions are no entities here.",
}

DEFAULTS: Final[Mapping[str, Any]] = {
    "maxItems": NO_OF_ITEMS,
    "defaultTenant": "publicapitest",
    "tenants": {"publicapitest": {**SWITCHES, **FILLINGS}, "publicapitest2": {**SWITCHES, **FILLINGS}},
}


def _described(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**schema, "description": NO_EFFECT[name]} if name in NO_EFFECT else dict(schema)


SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "maxItems": {"type": "integer", "minimum": 1, "maximum": NO_OF_ITEMS},
        "defaultTenant": {"type": "string", "description": "The tenant of a call of `multi` that names none."},
        "tenants": {
            "type": "object",
            "description": "The tenants that exist, each with its import settings; an empty default fills nothing in.",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    **{name: _described(name, {"type": "boolean"}) for name in SWITCHES},
                    **{
                        name: _described(
                            name,
                            {"type": "string", "minLength": SHORTEST.get(name, 0), "maxLength": LONGEST.get(name, 50)},
                        )
                        for name in FILLINGS
                    },
                },
            },
        },
    },
}


def section(world: World) -> Mapping[str, Any]:
    """Return the `genero` section as it is set in this sandbox."""
    found: Mapping[str, Any] = world.settings["genero"]
    return found


def tenants(world: World) -> Mapping[str, Mapping[str, Any]]:
    """Return the tenants that exist, with what is set for each."""
    found: Mapping[str, Mapping[str, Any]] = section(world).get("tenants", {})
    return found


def default_tenant(world: World) -> str:
    """Return the tenant of a multi-tenant client's call that names none."""
    return str(section(world).get("defaultTenant", DEFAULTS["defaultTenant"]))


def longest_batch(world: World) -> int:
    """Return how many items a batch may have."""
    return int(section(world).get("maxItems", NO_OF_ITEMS))


def max_items(turn: Turn) -> int:
    """Return the longest batch of this sandbox."""
    return longest_batch(turn.world)
