"""The walk in `docs/apis/genero.md` does what it shows."""

from console import DOCS, NOW, walk

from mockserver.apis.genero import api
from mockserver.http.service import Options, Service


def test_the_walk_works_as_shown():
    """Every answer on the page is byte for byte what a fresh sandbox on a frozen clock gives, ids included."""
    assert walk(Service([api()], Options(mode="frozen"), NOW), DOCS / "apis" / "genero.md") == 6
