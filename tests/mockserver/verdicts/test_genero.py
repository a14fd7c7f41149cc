"""Each law on Genero's clients: one client that keeps it, one that breaks it, one that gives it no occasion."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NEVER = {"when": {"operation": "postJob"}, "then": {"never-ends": True}}
FORM = "application/x-www-form-urlencoded"


def post(client, *keys, entity="block", tenant="", **members):
    query = f"?generoTenantId={tenant}" if tenant else ""
    items = [{f"{entity}Id": key, "name": f"Name of {key}", **members} for key in keys]
    reply = client.call("POST", f"/{entity}/postJob{query}", items)
    return reply.data.get("correlationId")


def post_many(client, *keys, tenants=("publicapitest", "publicapitest2")):
    body = {"generoTenantIds": list(tenants), "data": [{"blockId": key, "name": key} for key in keys]}
    return client.call("POST", "/block/multitenant/postJob", body).data["postedSuccess"]


def poll(client, job, entity="block", tenant=""):
    query = f"?generoTenantId={tenant}" if tenant else ""
    return client.call("GET", f"/{entity}/jobStatus/{job}{query}").data


def finish(client, job, **options):
    client.wait(minutes=5)
    return poll(client, job, **options)


def nothing(client):
    client.call("GET", "/block")


def one_at_a_time(client):
    finish(client, post(client, "a"))
    post(client, "b")


def two_at_a_time(client):
    post(client, "a")
    post(client, "b")


def full_batches(client, days):
    client.control("PATCH", "settings", {"genero": {"maxItems": 2}})
    post(client, "a", "b")
    client.wait(days=days)
    post(client, "c", "d")
    post(client, "e")


def once_a_week(client):
    full_batches(client, 7)


def twice_a_week(client):
    full_batches(client, 6)


def small_batches(client):
    post(client, "a")


def patient_polls(client):
    client.scenario(NEVER)
    job = post(client, "a")
    for _ in range(3):
        client.wait(minutes=4, seconds=30)
        poll(client, job)


def hasty_first_poll(client):
    poll(client, post(client, "a"))


def hasty_second_poll(client):
    client.scenario(NEVER)
    job = post(client, "a")
    client.wait(minutes=5)
    poll(client, job)
    client.wait(minutes=4, seconds=29)
    poll(client, job)


def comes_back_when_told(client):
    client.scenario(
        {"when": {"operation": "jobStatus"}, "then": {"status": 429, "headers": {"Retry-After": "60"}}, "times": 1}
    )
    job = post(client, "a")
    client.wait(minutes=5)
    poll(client, job)
    client.wait(minutes=1)
    poll(client, job)


def no_poll(client):
    post(client, "a")


def polls_until_the_end(client):
    finish(client, post(client, "a"))


def polls_on(client):
    job = post(client, "a")
    finish(client, job)
    finish(client, job)


def unfinished(client):
    client.scenario(NEVER)
    finish(client, post(client, "a"))


def waits_half_an_hour(client, minutes=30):
    client.scenario(NEVER)
    job = post(client, "a", "b")
    for _ in range(minutes // 5):
        finish(client, job)
    client.control("DELETE", "scenarios")
    post(client, "a", "b")


def gives_up_after_twenty_minutes(client):
    waits_half_an_hour(client, 20)


def posts_again_without_asking(client):
    post(client, "a", "b")
    client.wait(minutes=29)
    post(client, "b")


def polls_for_an_hour(client):
    client.scenario(NEVER)
    job = post(client, "a")
    for _ in range(12):
        finish(client, job)


def parents_first(client):
    finish(client, post(client, "B"))
    post(client, "c", entity="chain", blockId="B")


def parents_last(client):
    finish(client, post(client, "c", entity="chain", blockId="B"), entity="chain")
    post(client, "B")


def parents_elsewhere(client):
    finish(client, post(client, "c", entity="chain", blockId="B"), entity="chain")
    post(client, "B", tenant="publicapitest2")


def parents_deleted_later(client):
    finish(client, post(client, "c", entity="chain", blockId="B"), entity="chain")
    post(client, "B", deleted=True)


def own_ids(client):
    jobs = post_many(client, "a")
    client.wait(minutes=5)
    for tenant, job in jobs.items():
        poll(client, job, tenant=tenant)


def one_id_for_all(client):
    jobs = post_many(client, "a")
    client.wait(minutes=5)
    for tenant in jobs:
        poll(client, jobs["publicapitest"], tenant=tenant)


def only_one_tenant(client):
    finish(client, post_many(client, "a")["publicapitest"])


def single_tenant(client):
    finish(client, post(client, "a", tenant="publicapitest2"), tenant="publicapitest2")


def failing(client):
    items = [{"chainId": key, "name": key, **({"blockId": "no"} if key == "bad" else {})} for key in ("good", "bad")]
    job = client.call("POST", "/chain/postJob", items).data["correlationId"]
    assert finish(client, job, entity="chain")["batchJobStatus"] == "CompletedWithErrors"
    return items


def resends_failed(client):
    _, bad = failing(client)
    client.call("POST", "/chain/postJob", [bad])


def mends_failed(client):
    _, bad = failing(client)
    client.call("POST", "/chain/postJob", [{"chainId": bad["chainId"], "name": "mended"}])


def resends_all(client):
    client.call("POST", "/chain/postJob", failing(client))


def reloads_next_week(client):
    items = failing(client)
    client.wait(days=7)
    client.call("POST", "/chain/postJob", items)


def fetch(client, times):
    form = b"grant_type=client_credentials&client_id=multi&client_secret=sandbox"
    for _ in range(times):
        client.call("POST", "/oauth/token", form, FORM, mount="/genero")


def five_tokens(client):
    fetch(client, 5)
    client.wait(hours=24)
    fetch(client, 1)


def six_tokens(client):
    fetch(client, 6)


CLIENTS = {
    "one-active-job": (one_at_a_time, two_at_a_time, nothing),
    "max-batch-weekly": (once_a_week, twice_a_week, small_batches),
    "poll-interval": (patient_polls, hasty_first_poll, no_poll),
    "stopped-polling": (polls_until_the_end, polls_on, unfinished),
    "gave-up-early": (waits_half_an_hour, gives_up_after_twenty_minutes, no_poll),
    "gave-up-late": (waits_half_an_hour, polls_for_an_hour, unfinished),
    "referred-first": (parents_first, parents_last, parents_elsewhere),
    "right-tenant": (own_ids, one_id_for_all, single_tenant),
    "resent-only-failed": (resends_failed, resends_all, failing),
    "token-quota": (five_tokens, six_tokens, nothing),
}
MORE = [
    ("poll-interval", "failed", hasty_second_poll),
    ("poll-interval", "passed", comes_back_when_told),
    ("gave-up-early", "failed", posts_again_without_asking),
    ("right-tenant", "failed", only_one_tenant),
    ("resent-only-failed", "passed", mends_failed),
    ("resent-only-failed", "not-run", reloads_next_week),
    ("referred-first", "not-run", parents_deleted_later),
]
WORDS = ("passed", "failed", "not-run")
EACH = [(law, word, client) for law, clients in CLIENTS.items() for word, client in zip(WORDS, clients, strict=True)]


@pytest.mark.parametrize(("law", "word", "acts"), [*EACH, *MORE], ids=lambda one: getattr(one, "__name__", one))
def test_genero_clients_are_judged(genero, law, word, acts):
    """What a client did makes the law passed, failed or not run; a failed one names exchanges that there are."""
    acts(genero)
    ruling = genero.judged(law, "genero")
    assert ruling["status"] == word, ruling
    assert ruling["detail"].endswith(".")
    assert (word == "not-run") == (not ruling["evidence"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 400), max_size=6))
def test_polls_are_too_soon_exactly_when_a_wait_is_shorter_than_five_minutes_less_a_tenth(genero, waits):
    """The interval of each poll is judged, the first from the post, whatever came before."""
    genero.control("POST", "reset", {})
    genero.scenario(NEVER)
    job = post(genero, "a")
    for seconds in waits:
        genero.wait(seconds=seconds)
        poll(genero, job)
    word = "not-run" if not waits else "failed" if min(waits) < 270 else "passed"
    assert genero.judged("poll-interval", "genero")["status"] == word
    (told,) = genero.control("GET", "jobs?polls=true")["jobs"]
    assert [one["tooSoon"] != "" for one in told["polls"]] == [seconds < 270 for seconds in waits]


def test_genero_has_the_laws_that_its_conduct_asks(genero):
    """The laws and their order are those that are documented, with those for every API after them."""
    laws = [(one["api"], one["id"]) for one in genero.control("GET", "verdict")["laws"]]
    every = ["honoured-retry-after", "backed-off", "kept-sizes", "followed-location", "no-blind-repost"]
    assert laws == [*(("genero", law) for law in CLIENTS), *(("any", law) for law in every)]
