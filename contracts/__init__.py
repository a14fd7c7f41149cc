"""What an API promises: contracts of operations, schemas, bulk semantics, and judging calls and replies by them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.document import load, load_bundled
