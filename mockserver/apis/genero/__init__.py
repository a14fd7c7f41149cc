"""Genero's batch management: what its contract cannot say, as hooks and one behaviour."""

from contracts.document import load_bundled
from mockserver.api import Api, Hooks
from mockserver.apis.genero import clients, conduct, entities, imports, laws, settings, texts, tokens

__all__ = ["api"]

HOOKS = Hooks(
    admit=tokens.admit,
    scope=clients.scope,
    max_items=settings.max_items,
    target=clients.target,
    unknown_target=clients.unknown,
    conduct=conduct.check,
    sees=clients.sees,
    precedence=conduct.precedence,
    changes=imports.changes,
    prepare=imports.prepare,
    render=imports.render,
    entries=texts.entries,
    finish=conduct.note,
)


def api() -> Api:
    """Return the API as it is served under `/genero`."""
    return Api(
        name="genero",
        contract=load_bundled("genero"),
        behaviours={"fetchToken": tokens.fetch, "putEntity": entities.put},
        hooks=HOOKS,
        settings=settings.DEFAULTS,
        settings_schema=settings.SCHEMA,
        laws=laws.LAWS,
    )
