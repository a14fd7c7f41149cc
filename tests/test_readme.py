"""The walk in `README.md` does what it shows."""

from console import DOCS, NOW, answer, asked, commands, printed

from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.http.service import Options, Service

README = DOCS.parent / "README.md"


def test_the_vendors_pages_by_hand():
    """Each line that is shown below a command is a line of what a fresh sandbox on a frozen clock answers."""
    service = Service([source.load() for source in find_sources(BUNDLED)], Options(mode="frozen"), NOW)
    statuses = []
    for words, shown in commands(README):
        one = asked(words)
        reply = answer(service, one)
        statuses.append(reply.status)
        assert set(shown.splitlines()) <= set(printed(one, reply).splitlines())
    assert statuses == [207, 200, 200, 400]


def test_it_is_read_in_two_minutes():
    """What is longer has a page of its own."""
    assert len(README.read_text("utf-8").splitlines()) <= 110
