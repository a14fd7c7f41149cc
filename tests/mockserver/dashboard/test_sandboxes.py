"""The pages of sandboxes and of their settings in a browser, used as a person does."""

import json

import pytest

pytestmark = pytest.mark.slow


def names(server):
    """Return the names of the sandboxes of a server."""
    return [one["name"] for one in server.send("GET", "/_sandbox/sandboxes").data["sandboxes"]]


@pytest.fixture
def listed(server, page):
    """Return the page of sandboxes, with two records and a job in that of the test."""
    server.call("PUT", "/genero/api/v1/block/b1", {"blockId": "b1", "name": "One"})
    server.call("POST", "/genero/api/v1/block/postJob", [{"blockId": "b2", "name": "Two"}])
    page.goto(server.address("sandboxes"))
    page.get_by_role("link", name=server.sandbox, exact=True).wait_for()
    return page


def test_a_sandbox_is_listed_with_what_it_holds(server, listed):
    """A row has clock, records, jobs, exchanges and last use, and follows what happens."""
    row = listed.get_by_role("row").filter(has=listed.get_by_role("link", name=server.sandbox, exact=True))
    cells = [" ".join(text.split()) for text in row.get_by_role("cell").all_inner_texts()]
    assert cells[1:6] == ["2026-01-01 00:00:00 frozen", "1", "1 (1 open)", "2", "0"]
    server.control("POST", "clock/advance", {"to": "idle"})
    row.get_by_text("2026-01-01 00:00:02").wait_for()


def test_a_sandbox_is_made_reset_and_dropped(server, listed):
    """Each asks first; a name that is taken and a refusal are told at their fields."""
    name = f"{server.sandbox}-new"
    listed.get_by_role("button", name="New sandbox").click()
    box = listed.get_by_role("dialog")
    box.get_by_label("Name").fill(server.sandbox)
    box.get_by_text("There is a sandbox of this name.").wait_for()
    box.get_by_label("Name").fill(name)
    box.get_by_label("Seed").fill("7")
    box.get_by_label("Clock").select_option("frozen")
    box.get_by_label("Time (UTC)").fill("2027-02-03T04:05:06")
    box.get_by_role("button", name="Make it").click()
    listed.locator(".clock time[datetime='2027-02-03T04:05:06Z']").wait_for()
    assert (
        next(one for one in server.send("GET", "/_sandbox/sandboxes").data["sandboxes"] if one["name"] == name)["seed"]
        == 7
    )
    listed.get_by_role("button", name=f"Reset {server.sandbox}", exact=True).click()
    listed.get_by_role("button", name="Reset it").click()
    listed.get_by_role("dialog").wait_for(state="detached")
    assert server.control("GET", "jobs").data == {"jobs": []}
    listed.get_by_role("button", name=f"Drop {name}").click()
    listed.get_by_text("0 records, 0 jobs and 0 exchanges go with it.").wait_for()
    listed.get_by_role("button", name="Cancel").click()
    assert name in names(server)
    listed.get_by_role("button", name=f"Drop {name}").click()
    listed.get_by_role("button", name="Drop it").click()
    listed.get_by_role("link", name=name, exact=True).wait_for(state="detached")
    assert name not in names(server)


def test_a_sandbox_is_kept_as_a_file(server, listed, tmp_path):
    """What was downloaded puts the state back; a file that is none is refused in words."""
    listed.get_by_role("button", name=f"Snapshot {server.sandbox}", exact=True).click()
    with listed.expect_download() as download:
        listed.get_by_role("button", name="Download").click()
    kept = tmp_path / "kept.json"
    download.value.save_as(kept)
    assert json.loads(kept.read_bytes())["apis"].keys() == {"genero"}
    server.control("POST", "reset")
    listed.get_by_label("Snapshot file").set_input_files(kept)
    listed.get_by_role("button", name="Replace its state").click()
    listed.get_by_text("has the state of kept.json").wait_for()
    assert len(server.control("GET", "jobs").data["jobs"]) == 1
    (tmp_path / "other.json").write_text('{"x": 1}')
    listed.get_by_label("Snapshot file").set_input_files(tmp_path / "other.json")
    listed.get_by_role("button", name="Replace its state").click()
    listed.get_by_role("alert").wait_for()
    listed.errors[:] = [one for one in listed.errors if "400" not in one]  # the browser's own word for a refused call


@pytest.fixture
def settings(server, page):
    """Return the page of a sandbox's settings; `page.sent` has the bodies of what it sends."""
    page.sent = []

    def note(one):
        page.sent += [one.post_data_json] if one.method == "PATCH" else []

    page.on("request", note)
    page.goto(server.address("sandboxes", "settings"))
    page.get_by_label("conduct").wait_for()
    yield page
    page.remove_listener("request", note)


def test_only_changed_settings_are_sent(server, settings):
    """Each kind of value is set by its own control; defaults are told, and restored by a button."""
    assert settings.get_by_role("button", name="Save").is_disabled()
    settings.get_by_label("conduct").select_option("enforce")
    settings.get_by_label("strict", exact=True).check()
    settings.get_by_label("maxItems").fill("100")
    settings.get_by_text("3 changes, not saved").wait_for()
    settings.get_by_role("button", name="Save").click()
    settings.get_by_text("Saved 3 settings.").wait_for()
    assert settings.sent == [{"conduct": "enforce", "strict": True, "genero": {"maxItems": 100}}]
    assert server.control("GET", "settings").data["genero"]["maxItems"] == 100
    settings.get_by_text("How many items a batch may have. Default: 5000.").wait_for()
    settings.get_by_role("button", name="Reset maxItems to its default").click()
    settings.get_by_role("button", name="Save").click()
    settings.get_by_text("Saved 1 setting.").wait_for()
    assert settings.sent[1:] == [{"genero": {"maxItems": 5000}}]


def test_what_is_refused_is_told_at_its_field(server, settings):
    """A fault stands beside its field, and nothing is changed."""
    settings.get_by_label("depth", exact=True).fill("0")
    settings.get_by_role("button", name="Save").click()
    field = settings.locator(".field", has=settings.get_by_label("depth", exact=True))
    field.locator(".field-error").wait_for()
    assert settings.get_by_label("depth", exact=True).get_attribute("aria-invalid") == "true"
    assert server.control("GET", "settings").data["limits"]["depth"] == 64
    settings.get_by_role("button", name="Discard").click()
    settings.errors[:] = [one for one in settings.errors if "400" not in one]


def test_the_entries_of_a_map_are_fields(server, settings):
    """Each has its values by name; entries are added, changed and removed, but for those that a fresh sandbox has."""
    tenants = settings.get_by_role("group", name="tenants")
    known = server.control("GET", "settings").data["genero"]["tenants"]
    new = tenants.get_by_label("New entry of tenants")
    new.fill("publicapitest")
    tenants.get_by_role("button", name="Add").click()
    tenants.get_by_text("There is an entry of this name.").wait_for()
    new.fill("third")
    new.press("Enter")
    third = tenants.locator("details", has=settings.get_by_text("third", exact=True))
    third.get_by_label("DefaultPrio").fill("A")
    settings.get_by_text("1 change, not saved").wait_for()
    settings.get_by_role("button", name="Save").click()
    settings.get_by_text("Saved 1 setting.").wait_for()
    assert settings.sent[-1] == {"genero": {"tenants": {"third": {**known["publicapitest"], "DefaultPrio": "A"}}}}
    third.get_by_text("third", exact=True).click()
    third.get_by_label("DoUpdateEmail").uncheck()
    settings.get_by_role("button", name="Save").click()
    settings.get_by_text("Saved 1 setting.").wait_for()
    assert settings.sent[-1] == {"genero": {"tenants": {"third": {"DoUpdateEmail": False}}}}
    assert tenants.get_by_role("button", name="Remove publicapitest").count() == 0
    tenants.get_by_role("button", name="Remove third").click()
    settings.get_by_role("button", name="Save").click()
    third.wait_for(state="detached")
    assert settings.sent[-1] == {"genero": {"tenants": {"third": None}}}
    assert server.control("GET", "settings").data["genero"]["tenants"] == known


def test_the_pages_are_accessible(server, listed, accessible):
    """Axe finds nothing in light and dark, in lists, dialogs and forms; a phone's page does not scroll sideways."""
    assert accessible(listed) == []
    for word in ("New sandbox", f"Snapshot {server.sandbox}"):
        listed.get_by_role("button", name=word, exact=True).click()
        assert accessible(listed) == []
        listed.keyboard.press("Escape")
    listed.get_by_role("link", name=f"Settings of {server.sandbox}", exact=True).click()
    listed.get_by_label("conduct").wait_for()
    assert accessible(listed) == []
