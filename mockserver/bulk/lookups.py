"""Find the record that a lookup names, as the templates of its resource say: `resolve`, the default of that hook."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.bulk.model import Resource
from generators.requests.calls import lookup_members
from mockserver.domain.values import ItemFault, Resolution
from mockserver.stores.interface import Collection, Record, View

if TYPE_CHECKING:
    from mockserver.api.model import ItemRun


def resolve(run: "ItemRun", view: View, resource: Resource, member: str, value: object) -> Resolution:
    """Return the key of the one record that a lookup fits, or the fault; any other value is the key itself."""
    if not isinstance(value, dict):
        return Resolution(value)  # type: ignore[arg-type] # it is looked at by who asks
    is_target, resources = member == resource.key, run.api.contract.resources
    named = resource if is_target else resources[resource.references[member]]
    wanted = lookup_members(named, value)
    found = [] if wanted is None else list(_Search(resources, view, run.scope).matching(named, wanted))
    if len(found) == 1:
        return Resolution(found[0].key)
    if found:
        return Resolution(None, ItemFault("ambiguous", (member,), value, {"count": len(found)}))
    if is_target:
        return Resolution(None, ItemFault("not-found", (), value))
    return Resolution(None, ItemFault("reference", (member,), value, {"resource": named.name}))


@dataclass(frozen=True, slots=True)
class _Search:
    """The records of one scope in a view of the store."""

    resources: Mapping[str, Resource]
    view: View
    scope: str

    def matching(self, resource: Resource, wanted: Mapping[str, object]) -> Iterator[Record]:
        """Yield the records that are there and have every wanted value, types included: `true` is not 1."""
        for one in self._candidates(resource, wanted):
            values = ((self._value(resource, one, name.split("/")), value) for name, value in wanted.items())
            if not one.deleted and all(
                own == value and isinstance(own, bool) == isinstance(value, bool) for own, value in values
            ):
                yield one

    def _candidates(self, resource: Resource, wanted: Mapping[str, object]) -> Iterable[Record]:
        """Return the records to search: by a unique index where the wanted values have one, else all."""
        collection = Collection(self.scope, resource.name)
        index = next((one for one in resource.unique if wanted.keys() >= set(one)), None)
        if index is None:
            return self.view.scan(collection)
        keys = self.view.find(collection, index, tuple(wanted[name] for name in index))
        return [one for one in self.view.get_all(collection, list(keys)) if one is not None]

    def _value(self, resource: Resource, record: Record, path: list[str]) -> object:
        """Return the value at the end of a path of references, None where one of them is not set."""
        name, *rest = path
        value = record.key if name == resource.key else record.body.get(name)
        if not rest:
            return value
        named = self.resources[resource.references[name]]
        found = self.view.get(Collection(self.scope, named.name), value) if isinstance(value, str | int) else None
        return None if found is None else self._value(named, found, rest)
