"""What a person says stays in sealed documents: a marker in every answer, by every door, then a search."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import redis
from sqlalchemy import select

from pipeline.context import Context
from pipeline.db import Database, utc_now
from pipeline.models import Assessment, Heartbeat, Job, ProviderVersion, Submission
from tests.config.shipped import ANSWERS
from tests.end_to_end import haystacks
from tests.end_to_end.evidence import Evidence, drained
from tests.end_to_end.haystacks import Hay, find
from tests.end_to_end.people import Request, raw_to_api, raw_to_hook, to_api, to_form, to_hook
from tests.end_to_end.running import Running, within
from tests.end_to_end.sending import post
from tests.servers.redis import RedisServer
from tests.support.installations import SQLITE_FILE, Installation
from tests.support.work import jobs
from web.form import TOKEN

MARKER = "Zqxhollyhock"
HEALTH = ("immunosuppression", "A weakened immune system", "Defensas bajas", "4155550199")
"""An option that providers' criteria name too, and a phone number."""

SAID = {
    **ANSWERS,
    "submitter": "caregiver",
    "guardian_name": f"{MARKER} Guardian",
    "first_name": f"{MARKER} Ana",
    "last_name": f"de {MARKER}",
    "phone": "+14155550199",
    "contraindications": ["immunosuppression"],
}
RARE = {"condition": "other", "condition_other": f"{MARKER} syndrome"}


def test_what_a_person_says_is_nowhere_but_in_sealed_documents(installation: Installation, broker: RedisServer) -> None:
    core = installation.context()
    answers: list[httpx.Response] = []
    with Running(installation, broker.celery_url) as running, running.client() as client:
        running.start_web()
        answers += [post(client, request) for request in well_formed()]
        with in_the_way(core.database):
            running.start_worker()
            assert within(lambda: any(row.last_error for row in jobs(core.database, "score")))
        with away(core.database, "data_key"):
            broken = [post(client, to_api("b-1", said("b-1"))), client.post("/screening", data=to_form(said("b-2")))]
        answers += [post(client, request) for request in malformed()]
        answers += [*form_posts(client), *odd_requests(client)]
        assert {answer.status_code for answer in broken} <= {500, 503}
        assert max(answer.status_code for answer in answers) < 500
        assert within(lambda: drained(core.database)), Evidence(core).first_left()
        evidence = Evidence(core)
        assert {"candidate", "needs_review", "rejected", "duplicate", "quarantined"} <= evidence.statuses.keys()
        assert {row.status for row in evidence.emails} <= {"handed_over"}

        everywhere = list(hay(running, broker, core, [*answers, *broken]))
        assert not find([MARKER], everywhere)
        criteria = (ProviderVersion.__tablename__, SQLITE_FILE)  # providers' documents name such facts, too
        about_health = [item for item in everywhere if not item.where.startswith(criteria)]
        assert not find(HEALTH, about_health)
        plant(running, broker, core.database)
        planted = httpx.Response(400, json={"detail": MARKER}, request=httpx.Request("POST", running.url))
        found = find([MARKER], hay(running, broker, core, [planted]))
        assert {kind for kind, _ in found} == {item.kind for item in everywhere}


def said(name: str, **changes: object) -> dict[str, object]:
    """Answers with the marker in every text, of a person of their own."""
    return {**SAID, "email": f"{MARKER}.{name}@example.org", **changes}


def well_formed() -> list[Request]:
    no_consent = {name: answer for name, answer in said("r-1").items() if name != "consent_share"}
    return [
        to_api("v-1", said("v-1", condition="knee_osteoarthritis")),
        to_api("v-1 again", said("v-1", condition="knee_osteoarthritis")),
        to_api("v-2", said("v-2", contraindications=["none"])),
        to_api("v-3", said("v-3", **RARE)),
        to_hook("v-4", said("v-4")),
        to_hook("v-5", said("v-5", **RARE)),
        to_api("r-1", no_consent),
        to_hook("r-2", said("r-2", severity=MARKER, budget=MARKER)),
        to_hook("r-3", said("r-3", email=f"{MARKER} at example.org", country=MARKER)),
        to_hook("r-4", said("r-4", first_name=f"{MARKER}\0", condition_other=MARKER * 100)),
        to_hook("q-1", said("q-1")),
        to_hook("q-1", said("q-1", last_name=f"{MARKER} changed")),
        raw_to_hook("q-2", f'{{"payload": {{"data": {{"{MARKER}": "{MARKER}"}}}}}}'.encode()),
        raw_to_hook("q-3", f'{{"payload": "{MARKER}"}}'.encode()),
        raw_to_hook("q-4", f"not JSON: {MARKER}".encode()),
    ]


def malformed() -> list[Request]:
    nested = f'{"[" * 50}"{MARKER}"{"]" * 50}'
    return [
        raw_to_api("not JSON", MARKER.encode()),
        raw_to_api("not UTF-8", MARKER.encode() + b"\xff"),
        raw_to_api("same key twice", f'{{"answers": {{"{MARKER}": 1, "{MARKER}": "{MARKER}"}}}}'.encode()),
        raw_to_api("deep", f'{{"answers": {{"first_name": {nested}}}}}'.encode()),
        raw_to_api("wrong shape", json.dumps({"answers": [MARKER]}).encode()),
        raw_to_api("unknown member", json.dumps({"answers": {}, MARKER: MARKER}).encode()),
        raw_to_api("too large", json.dumps({"answers": {"first_name": MARKER * 30_000}}).encode()),
        raw_to_api("vendor id", json.dumps({"submission_id": f"{MARKER}\n", "answers": {}}).encode()),
        to_api("unknown question", said("m-1", **{MARKER: MARKER})),
        to_api("unknown option", said("m-2", budget=MARKER, contraindications=[MARKER])),
        to_api("wrong types", said("m-3", first_name={MARKER: MARKER}, severity=MARKER, country=MARKER)),
        to_api("too long", said("m-4", first_name=MARKER * 1000, condition_other=MARKER * 1000)),
        to_api("control characters", said("m-5", last_name=f"{MARKER}\0\x07")),
        to_api("impossible", said("m-6", date_of_birth=MARKER, email=f"{MARKER}@", phone=MARKER, language=MARKER)),
        to_api("unknown condition", said("m-7", condition=MARKER)),
    ]


def form_posts(client: httpx.Client) -> Iterator[httpx.Response]:
    good = to_form(said("f-1", condition="knee_osteoarthritis"))
    browser = {"accept": "text/html"}
    yield client.post("/screening", data=good, headers=browser)
    yield client.post("/screening", data={**good, "severity": MARKER, "email": MARKER}, headers=browser)
    yield client.post("/screening", data={**good, TOKEN: MARKER, MARKER: MARKER}, headers=browser)
    yield client.post("/screening", data={**good, "switch_language": "es"}, headers=browser)
    yield client.post("/screening", content=MARKER, headers={**browser, "content-type": "text/plain"})
    broken = f"--{MARKER}\r\nContent-Disposition: form-data; name={MARKER}"
    multipart = {**browser, "content-type": f"multipart/form-data; boundary={MARKER}"}
    yield client.post("/screening", content=broken, headers=multipart)


def odd_requests(client: httpx.Client) -> Iterator[httpx.Response]:
    """The marker where no answer belongs: in paths, queries, headers, keys and signatures."""
    good = to_api("o-1", said("o-1"))
    for changes in (
        {"authorization": f"Bearer {MARKER}"},
        {"authorization": MARKER},
        {"content-type": f"text/{MARKER}"},
        {"idempotency-key": MARKER},
        {"idempotency-key": MARKER * 100},
        {"x-request-id": MARKER, "user-agent": MARKER, "referer": MARKER, "cookie": f"{MARKER}={MARKER}"},
    ):
        yield client.post(good.path, content=good.body, headers={**good.headers, **changes})
    other = to_api("o-2", said("o-2"))
    yield client.post(other.path, content=other.body, headers={**other.headers, "idempotency-key": MARKER})
    hook = to_hook("o-3", said("o-3"))
    yield client.post(hook.path, content=hook.body + b" ", headers=dict(hook.headers))
    yield client.post(hook.path, content=hook.body, headers={**hook.headers, "x-webflow-timestamp": MARKER})
    yield client.post(f"/v1/hooks/{MARKER}", content=hook.body, headers=dict(hook.headers))
    yield client.post(f"{hook.path}?{MARKER}={MARKER}", content=hook.body, headers=dict(hook.headers))
    # Not as a link's token: the page behind a link has its own address, for switching the language.
    for path in (f"/v1/submissions/{MARKER}", f"/{MARKER}", f"/s/unknown?{MARKER}", f"/screening?lang={MARKER}"):
        yield client.get(path, headers=dict(good.headers))
        yield client.get(path, headers={"accept": "text/html"})
        yield client.put(path, content=MARKER)
    yield client.post(
        "/s/unknown", data={"date_of_birth-year": MARKER, "code": MARKER}, headers={"accept": "text/html"}
    )


@contextmanager
def in_the_way(database: Database) -> Iterator[None]:
    """Inside, no assessment can be recorded: the error's message has the values of the statement.

    What failed by that is tried again at once.
    """
    with database.write() as connection:
        ids = connection.execute(select(Submission.id)).scalars().all()
        rows = [{"submission_id": id_, "outcome": "", "network_digest": "", "assessed_at": utc_now()} for id_ in ids]
        connection.execute(Assessment.table().insert(), rows)
    try:
        yield
    finally:
        with database.write() as connection:
            connection.execute(Assessment.table().delete())
            failed = Job.table().update().where(Job.lane == "score", Job.lease_token.is_(None))
            connection.execute(failed.values(due_at=utc_now()))


@contextmanager
def away(database: Database, table: str) -> Iterator[None]:
    """Inside, a table has another name: whoever needs it gets an error whose message has the statement's values."""
    _rename(database, table, f"{table}_away")
    try:
        yield
    finally:
        _rename(database, f"{table}_away", table)


def _rename(database: Database, before: str, after: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {before} RENAME TO {after}")


def hay(running: Running, broker: RedisServer, core: Context, answers: list[httpx.Response]) -> Iterator[Hay]:
    """Everything but what is sealed, and the address in an email's To."""
    yield from haystacks.in_files("log", running.logs)
    yield from haystacks.in_broker(broker.redis_url, broker._folder)
    yield from haystacks.in_database(core.database)
    for path in running.installation.folder.glob(f"{SQLITE_FILE}*"):
        yield Hay("database", path.name, path.read_bytes())
    yield from haystacks.in_mailbox(running.mailbox)
    yield from haystacks.in_answers(answers)


def plant(running: Running, broker: RedisServer, database: Database) -> None:
    """Put the marker into one place of each kind, so that a search that is blind there is noticed."""
    with (running.logs / "worker.log").open("a") as log:
        log.write(json.dumps({"event": MARKER.upper()}))
    encoded = base64.b64encode(f"a name: {MARKER}!".encode()).decode()
    with closing(redis.Redis.from_url(broker.redis_url)) as client:
        client.set("planted", encoded)
    with database.write() as connection:
        connection.execute(Heartbeat.table().insert().values(name=MARKER, at=utc_now()))
    mail = f"To: nobody@example.org\nContent-Transfer-Encoding: base64\nContent-Type: text/html\n\n{encoded}\n"
    (running.mailbox / "planted.eml").write_text(mail)
