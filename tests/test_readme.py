"""The walk in `README.md` does what it shows."""

from console import DOCS, NOW, answer, asked, commands, printed

from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.http.service import Options, Service


def test_the_vendors_pages_by_hand():
    """Each line that is shown below a command is a line of what a fresh sandbox on a frozen clock answers."""
    service = Service([source.load() for source in find_sources(BUNDLED)], Options(mode="frozen"), NOW)
    steps = [(asked(words), shown.splitlines()) for words, shown in commands(DOCS.parent / "README.md")]
    assert len(steps) == 5
    for one, shown in steps:
        reply = answer(service, one)
        assert reply.status < 300
        assert set(shown) <= set(printed(one, reply).splitlines())
