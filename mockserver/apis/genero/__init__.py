"""Genero's batch management, after the vendor's pages: hooks and behaviours for what its contract cannot declare."""

from dataclasses import replace

from contracts.openapi.loading import load_bundled
from mockserver.api.model import Api
from mockserver.apis.genero import access, code_of_conduct, entities
from mockserver.engine.default_hooks import DEFAULT_HOOKS

__all__ = ["api"]

HOOKS = replace(
    DEFAULT_HOOKS,
    authenticate=access.admit,
    scope=access.scope,
    max_items=access.max_items,
    target=access.target,
    unknown_target=access.unknown_tenant_text,
    check_conduct=code_of_conduct.check,
    may_see_job=access.may_poll,
    precedence=code_of_conduct.precedence,
    changed_members=entities.changes,
    prepare=entities.prepare,
    render=entities.render,
    entries=entities.entries,
    finish=code_of_conduct.note,
)


def api() -> Api:
    """Return the API as it is served under `/genero`."""
    return Api(
        name="genero",
        contract=load_bundled("genero"),
        behaviours={"fetchToken": access.fetch_token, "putEntity": entities.put},
        hooks=HOOKS,
        settings=access.DEFAULTS,
        settings_schema=access.SCHEMA,
        laws=code_of_conduct.LAWS,
        memory_types={**access.MEMORY_TYPES, **code_of_conduct.MEMORY_TYPES},
        plain=False,
    )
