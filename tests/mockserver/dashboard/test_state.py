"""The page of the state in a browser: what is stored, and what a client believes held against it."""

import json

import pytest

pytestmark = pytest.mark.slow
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def state(server, page):
    """Return the page of a sandbox with sixty blocks of one tenant, one of them deleted, and one of another."""
    blocks = [{"blockId": f"b{n:02}", "name": f"Block {n}"} for n in range(60)]
    server.call("POST", "/genero/api/v1/block/postJob", blocks)
    server.control("POST", "clock/advance", {"to": "idle"})
    server.call("DELETE", "/genero/api/v1/block/b01")
    server.call("PUT", "/genero/api/v1/block/x?generoTenantId=publicapitest2", {"blockId": "x", "name": "X"})
    page.goto(server.address("state"))
    page.get_by_role("table").wait_for()
    return page


def keys(page):
    """Return the keys of the records that are shown."""
    return page.locator("tbody td:first-child button").all_inner_texts()


def test_records_are_shown_by_kind_and_tenant(server, state):
    """A table for each; deleted records are marked; what is written is shown at once, as text."""
    collections = state.get_by_role("navigation", name="Collections")
    assert [" ".join(text.split()) for text in collections.get_by_role("link").all_inner_texts()] == [
        "block publicapitest 59 records",
        "block publicapitest2 1 records",
    ]
    assert "deleted" in state.get_by_role("row").filter(has_text="b01").inner_text()
    collections.get_by_role("link", name="publicapitest2").click()
    state.get_by_role("button", name="x", exact=True).wait_for()
    server.call("PUT", "/genero/api/v1/block/y?generoTenantId=publicapitest2", {"blockId": "y", "name": MARKUP})
    state.get_by_role("button", name="y", exact=True).click()
    state.get_by_role("dialog").get_by_text(f'"{MARKUP}"').wait_for()


def test_records_are_paged_and_searched(state):
    """Fifty at a time, by key; a search counts what it finds."""
    assert keys(state)[0] == "b00"
    state.get_by_text("1 to 50 of 60 records").wait_for()
    state.get_by_role("button", name="Next").click()
    state.get_by_text("51 to 60 of 60 records").wait_for()
    state.get_by_role("button", name="b59").wait_for()
    state.get_by_label("Search by blockId").fill("b5")
    state.get_by_text("1 to 10 of 10 records").wait_for()
    state.get_by_label("Search by blockId").fill("nothing")
    state.get_by_text("No record has such a key.").wait_for()


BELIEFS = {
    "JSON": json.dumps({"items": [{"blockId": "x", "name": "Y"}, {"blockId": "z"}, {"blockId": "z"}]}),
    "lines": '{"blockId": "x", "name": "Y"}\n{"blockId": "z"}\n{"blockId": "z"}\n',
    "CSV": "blockId;name;deleted\nx;Y;false\nz;;\r\nz\n",
}


@pytest.mark.parametrize("belief", BELIEFS)
def test_what_a_client_believes_is_compared(server, state, belief):
    """Lost, doubled, phantom and different records, from JSON, lines of it, and CSV."""
    server.call("PUT", "/genero/api/v1/block/p?generoTenantId=publicapitest2", {"blockId": "p", "name": "P"})
    state.get_by_role("link", name="publicapitest2").click()
    state.get_by_role("tab", name="Reconcile").click()
    state.get_by_label("What the client believes").fill(BELIEFS[belief])
    state.get_by_role("button", name="Compare").click()
    rows = state.get_by_role("table", name="Differences").get_by_role("row")
    rows.nth(4).wait_for()
    told = [[cell.split("\n")[0] for cell in rows.nth(n).get_by_role("cell").all_inner_texts()] for n in range(1, 5)]
    assert [row[:2] for row in told] == [["z", "lost"], ["z", "doubled"], ["p", "phantom"], ["x", "different"]]
    assert told[3][2:] == ["/name", '"Y"', '"X"']


def test_agreement_and_what_cannot_be_read_are_told(state, tmp_path):
    """A file of CSV agrees with what is stored, numbers and truth values too; else it is said what is wrong where."""
    state.get_by_role("link", name="publicapitest2").click()
    state.get_by_role("tab", name="Reconcile").click()
    for text, says in (
        ("", "There is nothing to compare"),
        ('[{"blockId": ', "This is no JSON"),
        ('{"blockId": "x"}\n{"blockId"\n', "Line 2 is no JSON."),
        ('blockId,name\n"x,X\n', "A quotation mark is not closed."),
        ("blockId\nx,X\n", "Row 2 has 2 values, the first row 1 names."),
        ("[3]", "Record 1 is no object."),
        ('[{"blockId": "x", "name": [9007199254740993]}]', "is too large for a browser to compare"),
        ('[{"name": "X"}]', "it has no key; give its 'blockId'"),
    ):
        state.get_by_label("What the client believes").fill(text)
        state.get_by_role("button", name="Compare").click()
        state.get_by_role("alert").get_by_text(says).wait_for()
    (tmp_path / "belief.csv").write_text('blockId,name,deleted\nx,"X",FALSE\n')
    state.get_by_label("or a file").set_input_files(tmp_path / "belief.csv")
    state.get_by_role("button", name="Compare").click()
    state.get_by_text("The client and the server agree.").wait_for()
    state.errors[:] = [one for one in state.errors if "400" not in one]  # the browser's own word for a refused call


def test_an_empty_sandbox_says_so(server, page):
    """Where nothing is stored, the page says when something will be."""
    page.goto(server.address("state"))
    page.get_by_text("Nothing is stored yet.").wait_for()


def test_the_page_is_accessible(state, accessible):
    """Axe finds nothing in light and dark, and a phone's page does not scroll sideways."""
    state.get_by_role("button", name="b00").click()
    assert accessible(state) == []
    state.keyboard.press("Escape")
    state.get_by_role("tab", name="Reconcile").click()
    state.get_by_label("What the client believes").fill('[{"blockId": "b00", "name": "Other"}]')
    state.get_by_role("button", name="Compare").click()
    state.get_by_text("… and").or_(state.get_by_role("table", name="Differences")).first.wait_for()
    assert accessible(state) == []
