"""SendGrid's events come in: whose they are, that each is kept once, and what happens then, end to end."""

import json
import uuid
from collections.abc import Iterator, Mapping

import pytest
from httpx2 import Response
from sqlalchemy.exc import OperationalError

from config.event_keys import read_event_keys
from pipeline.context import Context
from pipeline.models import DeadJob, Email, Job, MailEvent, MailTally
from tests.servers.sendgrid import Accepted, AcceptThenReset, SendGridStandIn, Signer
from tests.servers.sendgrid_events import PATH, SIGNATURE, TIMESTAMP, event, to_body
from tests.support.installations import Installation
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import submit
from tests.support.work import drain, make_due, table
from tests.web.real_app import RealApp

SIGNER, ROTATED, STRANGER = Signer(), Signer(), Signer()
BODY = to_body([{"event": "processed", "timestamp": 1795336000 + n, "sg_event_id": f"id-{n}"} for n in range(3)])
Headers = Mapping[str, str]


@pytest.fixture
def app(sqlite_installation: Installation) -> RealApp:
    keys = f"{ROTATED.public_key}, {SIGNER.public_key}"
    return RealApp(sqlite_installation.context(sendgrid_event_public_keys=keys))


def post(app: RealApp, body: bytes, headers: Headers | None = None) -> Response:
    return app.client.post(PATH, content=body, headers=dict(SIGNER.signed(body) if headers is None else headers))


def kept(app: RealApp) -> int:
    return len(table(app.context.database, MailEvent.table()))


def test_a_signed_batch_is_kept_before_it_is_answered_and_its_lane_is_woken(app: RealApp) -> None:
    answer = post(app, BODY)
    assert (answer.status_code, answer.json()) == (200, {"events": 3, "new": 3})
    assert kept(app) == 3
    assert [job.lane for job in table(app.context.database, Job.table())] == ["receipts"] * 3
    assert app.woken == ["receipts"]


def compact(body: bytes) -> bytes:
    return json.dumps(json.loads(body), separators=(",", ":")).encode()


SIGNED = SIGNER.signed(BODY)
CASES: dict[str, tuple[bytes, Headers, int]] = {
    "good": (BODY, SIGNED, 200),
    "the other key": (BODY, ROTATED.signed(BODY), 200),
    "signed long ago": (BODY, SIGNER.signed(BODY, at=0), 200),
    "wrong key": (BODY, STRANGER.signed(BODY), 401),
    "tampered body": (BODY.replace(b"processed", b"delivered", 1), SIGNED, 401),
    "tampered timestamp": (BODY, {**SIGNED, TIMESTAMP: str(int(SIGNED[TIMESTAMP]) + 1)}, 401),
    "timestamp moved into the body": (
        SIGNED[TIMESTAMP][-1:].encode() + BODY,
        {**SIGNED, TIMESTAMP: SIGNED[TIMESTAMP][:-1]},
        400,
    ),
    "re-serialised": (compact(BODY), SIGNED, 401),
    "last CRLF stripped": (BODY.rstrip(b"\r\n"), SIGNED, 401),
    "CRLF to LF": (BODY.replace(b"\r\n", b"\n"), SIGNED, 401),
    "no signature": (BODY, {TIMESTAMP: SIGNED[TIMESTAMP]}, 401),
    "no timestamp": (BODY, {SIGNATURE: SIGNED[SIGNATURE]}, 401),
    "signature of nonsense": (BODY, {**SIGNED, SIGNATURE: "AAAA"}, 401),
    "signature not base64": (BODY, {**SIGNED, SIGNATURE: "not base64!"}, 401),
    "signature of an empty body": (BODY, SIGNER.signed(b""), 401),
    "signed, no list": (b"{}", SIGNER.signed(b"{}"), 400),
    "signed, not JSON": (b"[", SIGNER.signed(b"["), 400),
    "signed, empty": (b"[]", SIGNER.signed(b"[]"), 200),
}


def test_only_what_a_key_of_ours_signed_byte_for_byte_is_taken(app: RealApp) -> None:
    for case, (body, headers, status) in CASES.items():
        before = kept(app)
        answer = post(app, body, headers)
        assert answer.status_code == status, case
        if status != 200:
            assert answer.headers["content-type"] == "application/problem+json", case
            assert kept(app) == before, case


def test_what_cannot_be_a_providers_is_refused_before_its_body_is_read(app: RealApp, sqlite_context: Context) -> None:
    def body() -> Iterator[bytes]:
        read.append(True)
        yield BODY

    read: list[bool] = []
    unsigned = [
        {TIMESTAMP: SIGNED[TIMESTAMP]},
        {SIGNATURE: SIGNED[SIGNATURE]},
        {**SIGNED, SIGNATURE: "not base64!"},
    ]
    assert [app.client.post(PATH, content=body(), headers=each).status_code for each in unsigned] == [401] * 3
    assert RealApp(sqlite_context).client.post(PATH, content=body(), headers=SIGNED).status_code == 404
    assert not read
    assert app.client.post(PATH, content=body(), headers=SIGNED).status_code == 200
    assert read


def test_what_is_posted_again_is_answered_and_has_no_effect(app: RealApp) -> None:
    headers = SIGNER.signed(BODY)
    assert [post(app, BODY, headers).json()["new"] for _ in range(3)] == [3, 0, 0]
    twice = to_body([{"event": "processed", "timestamp": 1795336000, "sg_event_id": "twice"}] * 2)
    assert post(app, twice).json() == {"events": 2, "new": 1}
    assert kept(app) == len(table(app.context.database, Job.table())) == 4
    tallies = [(row.event, row._mapping["count"]) for row in table(app.context.database, MailTally.table())]
    assert tallies == [("processed", 4), ("repeated", 7)]


def test_a_batch_may_be_larger_than_other_bodies_but_not_of_any_size(app: RealApp) -> None:
    large = to_body([{"event": "processed", "timestamp": 1, "sg_event_id": "a", "pad": "x" * 800_000}])
    assert post(app, large).status_code == 200
    too_large = BODY + b" " * 1_100_000
    answer = post(app, too_large)
    assert (answer.status_code, answer.json()["detail"]) == (413, "A request body may have at most 1024 KiB.")

    def chunks() -> Iterator[bytes]:
        yield too_large[:900_000]
        yield too_large[900_000:]

    assert app.client.post(PATH, content=chunks(), headers=SIGNER.signed(too_large)).status_code == 413


def test_without_a_key_nothing_is_believed_and_the_answer_says_what_to_set(sqlite_context: Context) -> None:
    app = RealApp(sqlite_context)
    answer = post(app, BODY)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:careroute:problem:no-event-key")
    assert "CAREROUTE_SENDGRID_EVENT_PUBLIC_KEYS" in answer.json()["detail"]
    assert kept(app) == 0


def test_while_the_database_is_away_the_provider_is_asked_to_come_again(
    app: RealApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("", {}, ConnectionError())

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.receipts.storing.bulk.fetch", gone)
        answer = post(app, BODY)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert app.woken == []
    assert post(app, BODY).json()["new"] == 3


@pytest.mark.parametrize(
    "keys",
    [
        "nonsense",
        f"{SIGNER.public_key},{SIGNER.public_key[:-8]}",
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
    ],
)
def test_a_key_that_is_none_is_refused_at_the_start(sqlite_installation: Installation, keys: str) -> None:
    with pytest.raises(ValueError, match=r"sendgrid_event_public_keys\n.*number \d is not a verification key"):
        sqlite_installation.settings(sendgrid_event_public_keys=keys)
    assert len(read_event_keys(f" {SIGNER.public_key} , ")) == 1


def test_what_the_provider_took_without_an_answer_is_settled_by_its_word_or_by_the_kinds_policy(
    sqlite_installation: Installation,
) -> None:
    """Over real HTTP to a provider that takes everything and resets; then over its signed events."""
    with SendGridStandIn(signer=SIGNER) as sendgrid:
        settings = {
            "mail_transport": "sendgrid",
            "sendgrid_api_key": "SG.stand-in",
            "sendgrid_host": sendgrid.url,
            "sendgrid_event_public_keys": sendgrid.public_key,
        }
        app = RealApp(sqlite_installation.context(**settings))
        put_in_force(app.context, fitting("one"))
        submit(app.context)
        drain(app.context, "validate", "score")
        sendgrid.script(*[AcceptThenReset()] * 3)
        drain(app.context, "email")
        kinds = {row.id: row.kind for row in table(app.context.database, Email.table())}
        assert standing(app) == dict.fromkeys(kinds.values(), "uncertain")
        drain(app.context, "email")
        assert len(sendgrid.accepted) == len(kinds), "held, and not sent again"

        (recommended,) = [mail for mail in sendgrid.accepted if kinds[_id(mail)] == "recommendation"]
        assert post(app, to_body([event("processed", recommended), event("delivered", recommended)])).is_success
        drain(app.context, "receipts")
        make_due(app.context.database)  # the hold is over
        drain(app.context, "email")
        again = [kinds[_id(mail)] for mail in sendgrid.accepted[len(kinds) :]]
        assert again == ["confirmation"]
        assert standing(app) == {"recommendation": "delivered", "confirmation": "handed_over", "referral": "uncertain"}
        assert {kinds[row.target_id] for row in table(app.context.database, DeadJob.table())} == {"referral"}

        assert post(app, to_body([event("delivered", mail) for mail in sendgrid.accepted])).is_success
        drain(app.context, "receipts", "email")
        assert set(standing(app).values()) == {"delivered"}
        assert table(app.context.database, DeadJob.table()) == []
        assert table(app.context.database, Job.table()) == []
        assert sendgrid.violations == []


def standing(app: RealApp) -> dict[str, str]:
    return {row.kind: row.status for row in table(app.context.database, Email.table())}


def _id(mail: Accepted) -> uuid.UUID:
    return uuid.UUID(mail.email_id)
