"""What is said of documents in the shape of Google's APIs: versions that are texts, deletions that keep."""

from pathlib import Path

import pytest

from contracts import load
from contracts.messages import ABSENT
from tests.generators.oracles.test_oracle import Judge

TASKS = load(Path(__file__).parents[2] / "mockserver" / "data" / "tasks.yaml")
TASK = {"id": "t1", "etag": "e1", "title": "b00000-1"}


@pytest.fixture
def tasks():
    """Return a judge of the tasks, and where the one is that was made."""
    made = Judge(TASKS)
    assert made.told("POST", "/projects/apollo/tasks", {"title": "b00000-1"}, 200, TASK) == []
    return made, "/projects/apollo/tasks/t1"


def test_a_key_and_a_version_that_stand_inside_what_is_written_are_no_content(tasks):
    """Members where the declaration reads them are known, though the schema of the content does not have them."""
    judge, at = tasks
    task = {**TASK, "etag": "e2", "title": "b00000-2"}
    assert judge.told("PATCH", at, {"etag": "e1", "title": "b00000-2"}, 200, task) == []
    assert judge.told("GET", at, ABSENT, 200, {**task, "title": "b00000-9"}) == ["member reads otherwise at /title"]
    task["title"] = "b00000-3"
    items = {"requests": [{"task": task}]}
    assert judge.told("POST", "/projects/apollo/tasks:batchUpdate", items, 200, {"tasks": [task]}) == []
    assert judge.told("GET", at, ABSENT, 200, task) == []


def test_a_version_that_is_a_text_may_be_stale_and_what_is_written_with_it_is_written(tasks):
    """No model has such versions: a refusal is not told, and what a success wrote must be read."""
    judge, at = tasks
    assert judge.told("PATCH", at, {"etag": "e0", "title": "b00000-2"}, 409, {}) == []
    items = {"requests": [{"task": {**TASK, "title": "b00000-3"}}]}
    assert judge.told("POST", "/projects/apollo/tasks:batchUpdate", items, 400, {}) == []
    assert judge.told("GET", at, ABSENT, 200, TASK) == []
    assert judge.told("POST", "/projects/apollo/tasks:batchUpdate", items, 200, {"tasks": [TASK]}) == []
    assert judge.told("GET", at, ABSENT, 200, {**TASK, "title": "x"}) == ["member reads otherwise at /title"]


@pytest.mark.parametrize("single", [True, False])
def test_a_record_that_its_deletion_may_leave_is_in_a_state_that_nothing_tells(tasks, single):
    """It is read, left out of the list, refused when it is written, and has its unique values."""
    judge, at = tasks
    if single:
        assert judge.told("DELETE", at, ABSENT, 200, TASK) == []
    else:
        assert judge.told("POST", "/projects/apollo/tasks:batchDelete", {"ids": ["t1"]}, 200, {"tasks": [TASK]}) == []
    for _ in range(2):
        assert judge.told("GET", at, ABSENT, 200, TASK) == []
        assert judge.told("GET", "/projects/apollo/tasks", ABSENT, 200, {"tasks": []}) == []
        assert judge.told("PATCH", at, {"title": "b00000-3"}, 404, {}) == []
    assert judge.told("DELETE", at, ABSENT, 404, {}) == []


@pytest.mark.parametrize(("is_cancelled", "found"), [(True, []), (False, ["ends before all is processed"])])
def test_a_job_that_was_cancelled_is_not_done_where_no_word_tells_that(tasks, is_cancelled, found):
    """Its state is `done: true` as that of any other job that has ended, and nothing has been processed."""
    judge, _ = tasks
    begun = {"name": "operations/o1", "done": False, "metadata": {"total": 1, "processed": 0}}
    ended = {**begun, "done": True, "error": {"code": 1}}
    assert judge.told("POST", "/projects/apollo/tasks:import", {"tasks": [{"title": "b00000-2"}]}, 200, begun) == []
    if is_cancelled:
        assert judge.told("POST", "/operations/o1:cancel", ABSENT, 200, {"name": "operations/o1"}) == []
    assert judge.told("GET", "/operations/o1", ABSENT, 200, ended) == found


@pytest.mark.parametrize(("key", "found"), [("red", ["single good create fails"]), ("Red", [])])
def test_a_key_in_the_query_that_its_schema_excludes_may_be_refused(tasks, key, found):
    """A refusal of one that it allows is told."""
    judge, _ = tasks
    at = "/projects/apollo/labels"
    assert judge.told("POST", at, {"color": "RED"}, 400, {}, query=(("labelId", f"b00000-{key}"),)) == found
