"""The sandboxes of a server: made on first use, isolated, and never too many."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.openapi.loading import load_bundled
from mockserver.api.model import Api
from mockserver.domain.clock_and_ids import FROZEN_EPOCH, VirtualClock
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.sandbox.sandboxes import MAX_INSTANT, Sandbox, Sandboxes, SandboxesFullError, SandboxTemplate, is_name

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("name", ["default", "a", "A.b_c-9", "x" * 64, "..", "0"])
def test_good_names(name):
    """Letters, digits, dots, underscores and hyphens make a name."""
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "ä", "a\n", "a%20"])
def test_bad_names(name):
    """Anything else, nothing, and more than 64 characters do not."""
    assert not is_name(name)


def test_the_same_name_is_the_same_sandbox():
    """A sandbox is made on first use and found again."""
    sandboxes = Sandboxes(SandboxTemplate())
    assert sandboxes.use("a", START) is sandboxes.use("a", START + MINUTE)
    assert [(one.name, one.used) for one in sandboxes] == [("a", START + MINUTE)]


def test_the_one_idle_longest_makes_room():
    """A new sandbox takes the place of the one that was used least recently."""
    sandboxes = Sandboxes(SandboxTemplate(), most=2)
    for minute, name in enumerate(["a", "b", "a"]):
        sandboxes.use(name, START + minute * MINUTE)
    sandboxes.use("c", START + 20 * MINUTE)
    assert [one.name for one in sandboxes] == ["a", "c"]


def test_none_used_in_the_last_ten_minutes_makes_room():
    """When all were used a moment ago there is no room, and it is told how long to wait."""
    sandboxes = Sandboxes(SandboxTemplate(), most=1)
    sandboxes.use("a", START)
    with pytest.raises(SandboxesFullError) as full:
        sandboxes.use("b", START + 9 * MINUTE)
    assert full.value.wait == MINUTE
    assert sandboxes.use("b", START + 10 * MINUTE).name == "b"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 30)), max_size=60), st.integers(1, 5))
def test_there_are_never_too_many(uses, most):
    """Whatever is used when, the limit holds, and nobody's fresh sandbox is taken away."""
    sandboxes, now, used = Sandboxes(SandboxTemplate(), most=most), START, {}
    for name, minutes in uses:
        now += minutes * MINUTE
        try:
            sandboxes.use(name, now)
            used[name] = now
        except SandboxesFullError:
            pass
        kept = {one.name for one in sandboxes}
        assert len(kept) <= most
        assert kept >= {name for name, at in used.items() if now - at < 10 * MINUTE}


def test_reset_restores_everything():
    """After a reset a sandbox is as when it was made: clock, settings, seed, state, journal."""
    api = Api(name="genero", contract=load_bundled("genero"), hooks=DEFAULT_HOOKS)
    sandbox = Sandbox("a", SandboxTemplate(apis={"genero": api}, seed=3, mode="frozen"), START)
    api_state = sandbox.api_state(api, sandbox.now(START))
    first = api_state.ids.uuid("job")
    sandbox.clock = sandbox.clock.advance(MINUTE)
    sandbox.apply_settings({**sandbox.settings, "auth": "strict"})
    sandbox.reset(START + MINUTE)
    assert (sandbox.now(START), sandbox.settings["auth"], sandbox.seed) == (FROZEN_EPOCH, "open", 3)
    assert sandbox.api_states == {}
    assert sandbox.api_state(api, FROZEN_EPOCH).ids.uuid("job") == first
    sandbox.reset(START, seed=4)
    assert sandbox.api_state(api, FROZEN_EPOCH).ids.uuid("job") != first


def test_settings_reach_every_world():
    """A world sees changed settings, and those of its own sandbox alone."""
    api = Api(name="genero", contract=load_bundled("genero"), hooks=DEFAULT_HOOKS)
    one, other = (Sandbox(name, SandboxTemplate(apis={"genero": api}), START) for name in "ab")
    api_states = [sandbox.api_state(api, START) for sandbox in (one, other)]
    one.apply_settings({**one.settings, "auth": "strict"})
    assert [api_state.settings["auth"] for api_state in api_states] == ["strict", "open"]


@pytest.mark.parametrize("clock", [VirtualClock(mode="scaled", at=START, real=START, factor=86_400.0)])
def test_a_fast_clock_stops_before_the_calendar_does(clock):
    """A clock that would run out of years stands still instead of breaking every call."""
    sandbox = Sandbox("a", SandboxTemplate(), START)
    sandbox.clock = clock
    assert sandbox.now(START + timedelta(days=400)) == MAX_INSTANT
