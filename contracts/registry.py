"""The contracts that come with the package."""

from pathlib import Path
from typing import Final

from contracts.errors import MisuseError
from contracts.names import did_you_mean

BUNDLED: Final = ("genero", "onkey")
FOLDER: Final = Path(__file__).parent / "bundled"


def bundled_path(name: str) -> Path:
    """Return the OpenAPI document of a bundled contract. Raises MisuseError when there is none of that name."""
    if name not in BUNDLED:
        cure = did_you_mean(name, BUNDLED) or f"Bundled are {' and '.join(BUNDLED)}."
        raise MisuseError(f"there is no bundled contract '{name}'.", cure=cure)
    return FOLDER / name / "openapi.yaml"
