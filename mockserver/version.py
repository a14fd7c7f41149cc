"""The version of Bulkproof; a test holds it to the project file's."""

from typing import Final

VERSION: Final = "0.1.0"
