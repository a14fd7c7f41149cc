"""How pages say that Bulkproof is installed: `PUBLISHED` decides it for all, `python docs/write.py` writes them."""

import re
from typing import Final

PUBLISHED: Final = False  # whether `pip install bulkproof` works; until then it is installed from a checkout or a wheel
CHECKOUT: Final = re.compile(r"""pip install (?:\.(?![\w/'"])|(['"])\.(\[[\w,]+\])\1)""")
PACKAGE: Final = re.compile(r"""pip install (?:bulkproof(?![\w-])|(['"])bulkproof(\[[\w,]+\])\1)""")


def installed_as(text: str, *, published: bool) -> str:
    """Return a page that installs Bulkproof from the index, or from the folder that the reader is in."""
    name = "bulkproof" if published else "."
    source = CHECKOUT if published else PACKAGE
    return source.sub(lambda found: f"pip install '{name}{found[2]}'" if found[2] else f"pip install {name}", text)
