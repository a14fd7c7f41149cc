"""JSON Pointers (RFC 6901) and the references `uri#pointer` that are built of them."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from contracts.messages import ABSENT
from contracts.texts import whole


def escape(token: str | int) -> str:
    """Return a token as it stands in a pointer: `a/b` gives `a~1b`."""
    text = str(token)
    return text.replace("~", "~0").replace("/", "~1") if "~" in text or "/" in text else text


def unescape(token: str) -> str:
    """Return the member name that a pointer's token stands for."""
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def pointer_of(tokens: Iterable[str | int]) -> str:
    """Return the pointer of those tokens; none of them gives the empty pointer."""
    return "".join(f"/{escape(token)}" for token in tokens)


@lru_cache(maxsize=10_000)
def tokens_of(pointer: str) -> tuple[str, ...]:
    """Return the unescaped tokens of a pointer; the empty pointer has none."""
    return tuple(map(unescape, pointer.split("/")[1:]))


def step(value: object, token: str) -> object:
    """Return the member or element of `value` that `token` names, `ABSENT` when there is none."""
    if type(value) is dict or isinstance(value, Mapping):  # the first asks quickly what is so nearly always
        return value.get(token, ABSENT)
    if isinstance(value, list | tuple) and (index := whole(token)) is not None and index < len(value):
        return value[index]
    return ABSENT


def look_up(value: object, pointer: str) -> object:
    """Return what `pointer` names in `value`, `ABSENT` when there is nothing."""
    for token in tokens_of(pointer):
        value = step(value, token)
        if value is ABSENT:
            break
    return value


def split_ref(ref: str) -> tuple[str, str]:
    """Return the URI and the pointer of a reference."""
    uri, _, pointer = ref.partition("#")
    return uri, pointer
