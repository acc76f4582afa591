"""SendGrid against the stand-in, which holds every request against SendGrid's own description of its API."""

import hashlib
import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from uuid import UUID

import pytest

from pipeline.email.kinds import RULES, EmailKind
from pipeline.transports import Receipt, SendOutcome
from pipeline.transports.sendgrid import SendGridTransport, request_body
from pipeline.transports.sendgrid_answers import LONGEST_WAIT, REPAIR_SECONDS, judge
from tests.pipeline.transports.messages import UNSUBSCRIBE, message, send
from tests.servers.sendgrid import (
    API_KEY,
    AcceptThenReset,
    Fault,
    Hang,
    Late,
    ResetBeforeReading,
    Sandbox,
    SendGridStandIn,
    Status,
)

LANE_FAILURE, REJECTED, RETRY = SendOutcome.LANE_FAILURE, SendOutcome.REJECTED, SendOutcome.RETRY
ACCEPTED, UNCERTAIN, UNAVAILABLE = SendOutcome.ACCEPTED, SendOutcome.UNCERTAIN, SendOutcome.UNAVAILABLE

CHECK_KEY = "401 unauthorized: check CAREROUTE_SENDGRID_API_KEY"
CHECK_SENDER = "403 forbidden: check the API key's Mail Send permission and the verified sender of CAREROUTE_MAIL_FROM"


@pytest.fixture
def stand_in() -> Iterator[SendGridStandIn]:
    with SendGridStandIn() as sendgrid:
        yield sendgrid


def transport(url: str, *, key: str = API_KEY, timeout: float = 10) -> "closing[SendGridTransport]":
    return closing(SendGridTransport(key, host=url, timeout=timeout))


def test_every_kind_is_accepted_under_the_providers_own_contract_byte_for_byte(stand_in: SendGridStandIn) -> None:
    mails = [message(kind=kind) for kind in EmailKind]
    mails.append(replace(mails[0], sender=replace(mails[0].sender, name="Red Ñandú, S.A.", reply_to="re@org.example")))
    with transport(stand_in.url) as sendgrid:
        receipts = [send(sendgrid, mail) for mail in mails]
        contents = [sendgrid.encode(mail) for mail in mails]
    assert stand_in.violations == []
    assert receipts == [Receipt(ACCEPTED, accepted.message_id, "202") for accepted in stand_in.accepted]
    assert [accepted.sha256 for accepted in stand_in.accepted] == [
        hashlib.sha256(content).hexdigest() for content in contents
    ]
    assert [accepted.email_id for accepted in stand_in.accepted] == [str(mail.email_id) for mail in mails]
    assert {accepted.to for accepted in stand_in.accepted} == {"ann@person.example"}


@pytest.mark.parametrize("kind", EmailKind)
def test_the_provider_is_told_nothing_but_the_mail_and_a_random_id(kind: EmailKind) -> None:
    mail = message(kind=kind)
    body = json.loads(SendGridTransport(API_KEY, host="https://sendgrid.invalid", timeout=1).encode(mail))
    assert set(body) == {"personalizations", "from", "subject", "content", "headers", "tracking_settings"}
    custom = {"attempt_id": str(mail.attempt_id)}
    assert body["personalizations"] == [{"to": [{"email": "ann@person.example"}], "custom_args": custom}]
    assert UUID(custom["attempt_id"]).version == 4
    usual = {"Message-ID", "Auto-Submitted", "Content-Language"}
    if RULES[kind].mail_class.can_be_unsubscribed:
        assert set(body["headers"]) == usual | {"List-Unsubscribe", "List-Unsubscribe-Post"}
        assert body["headers"]["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
        assert body["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    else:
        assert set(body["headers"]) == usual
    tracking = body["tracking_settings"]
    assert set(tracking) == {"click_tracking", "open_tracking", "subscription_tracking", "ganalytics"}
    assert not any(value for setting in tracking.values() for value in setting.values())


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        (Sandbox(), REJECTED, "sandbox"),
        (Status(400), REJECTED, "400:from.email"),
        (Status(413), REJECTED, "413"),
        (Status(401), LANE_FAILURE, CHECK_KEY),
        (Status(403), LANE_FAILURE, CHECK_SENDER),
        (Status(429), LANE_FAILURE, "429 too many requests"),
        (Status(503), UNAVAILABLE, "503"),
        (Status(504), UNCERTAIN, "504"),
        (Hang(), UNCERTAIN, "no-answer"),
        (Late(1.0), UNCERTAIN, "no-answer"),
        (AcceptThenReset(), UNCERTAIN, "no-answer"),
    ],
    ids=lambda value: value.code if isinstance(value, Status) else value,
)
def test_what_each_fault_means_on_a_new_and_on_a_kept_connection(
    stand_in: SendGridStandIn, fault: Fault, outcome: SendOutcome, code: str
) -> None:
    stand_in.script(fault, None, fault, None)
    with transport(stand_in.url, timeout=0.4) as sendgrid:
        receipts = [send(sendgrid) for _ in range(4)]
    assert [(each.outcome, each.code) for each in receipts] == [(outcome, code), (ACCEPTED, "202")] * 2
    lost = 2 if isinstance(fault, AcceptThenReset | Late) else 0
    assert len(stand_in.accepted) == 2 + lost
    assert stand_in.requests == 4, "no request is repeated by the transport"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (202, ACCEPTED),
        *((status, REJECTED) for status in (200, 400, 409, 410, 413, 422)),
        *((status, RETRY) for status in (408, 425)),
        *((status, LANE_FAILURE) for status in (301, 302, 401, 402, 403, 404, 405, 406, 407, 415, 429, 451)),
        *((status, UNAVAILABLE) for status in (500, 502, 503, 507, 520)),
        *((status, UNCERTAIN) for status in (201, 204, 504)),
    ],
)
def test_every_status_has_a_meaning(status: int, outcome: SendOutcome) -> None:
    receipt = judge(status, {}, b"")
    assert receipt.outcome is outcome
    assert len(receipt.code) <= 200
    asks_for_repair = outcome is LANE_FAILURE and status != 429
    assert receipt.retry_after == (REPAIR_SECONDS if asks_for_repair else None)
    assert ("check" in receipt.code) == asks_for_repair


def test_a_plan_used_up_is_not_taken_for_a_wrong_key() -> None:
    used_up = judge(401, {}, b'{"errors":[{"message":"Maximum credits exceeded","field":null,"help":null}]}')
    assert used_up == Receipt(
        LANE_FAILURE, code="401 no credits left: check the plan of the SendGrid account", retry_after=REPAIR_SECONDS
    )


def test_a_reset_with_the_request_unread_is_never_taken_for_accepted(stand_in: SendGridStandIn) -> None:
    stand_in.always(ResetBeforeReading())
    with transport(stand_in.url) as sendgrid:
        receipts = [send(sendgrid) for _ in range(10)]
    # Whether the reset comes while writing or while waiting is a race; both answers are true.
    assert {receipt.outcome for receipt in receipts} <= {UNAVAILABLE, UNCERTAIN}
    assert stand_in.accepted == []


def test_nobody_there_is_unavailable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://sendgrid.invalid", f"https://127.0.0.1:{port}"):
        with transport(url) as sendgrid:
            assert send(sendgrid) == Receipt(UNAVAILABLE, code="connection")


def test_a_wrong_key_says_so(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url, key="SG.wrong") as sendgrid:
        assert send(sendgrid) == Receipt(LANE_FAILURE, code=CHECK_KEY, retry_after=REPAIR_SECONDS)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        (lambda now: {"X-RateLimit-Reset": str(int(now) + 600)}, 300, 600),
        (lambda now: {"X-RateLimit-Reset": str(int(now) - 60)}, 1, 1),
        (lambda now: {"X-RateLimit-Reset": str(int(now) + 10**9)}, LONGEST_WAIT, LONGEST_WAIT),
        (lambda _: {"Retry-After": "17"}, 17, 17),
        (lambda now: {"Retry-After": formatdate(now + 600, usegmt=True)}, 300, 600),
        # By their clock, whatever ours says.
        (lambda now: {"X-RateLimit-Reset": str(int(now) + 600), "Date": formatdate(now + 580, usegmt=True)}, 19, 21),
        (lambda now: {"X-RateLimit-Reset": str(int(now) + 600), "Date": "soon"}, 300, 600),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 403])
def test_it_is_said_how_long_to_wait(
    status: int, headers: Callable[[float], dict[str, str]], least: float, most: float
) -> None:
    wait = judge(status, headers(time.time()), b"").retry_after
    assert wait is not None
    assert least <= wait <= most


def test_nonsense_about_waiting_is_no_answer(stand_in: SendGridStandIn) -> None:
    nonsense = [{"X-RateLimit-Reset": word} for word in ("soon", "nan", "-nan", "inf", "-Infinity", "1e999")]
    nonsense += [{"Retry-After": "soon"}, {"Retry-After": "9" * 400}, {"X-Other": "1"}]
    stand_in.script(*(Status(429, headers=headers) for headers in nonsense))
    with transport(stand_in.url) as sendgrid:
        receipts = [send(sendgrid) for _ in nonsense]
    assert receipts == [Receipt(LANE_FAILURE, code="429 too many requests")] * len(nonsense)
    assert stand_in.requests == len(nonsense)


def test_a_storm_ends_when_it_said_it_would(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url) as sendgrid:
        stand_in.storm(0.1)
        wait = send(sendgrid).retry_after
        assert wait is not None
        time.sleep(wait)
        assert send(sendgrid).outcome is ACCEPTED


def test_connections_are_kept_and_shared_by_threads(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url) as sendgrid:
        for _ in range(5):
            send(sendgrid)
        assert stand_in.connections == 1
        with ThreadPoolExecutor(4) as pool:
            mails = [message() for _ in range(60)]
            receipts = list(pool.map(partial(send, sendgrid), mails))
    assert {receipt.outcome for receipt in receipts} == {ACCEPTED}
    assert {mail.attempt_id for mail in mails} <= {UUID(accepted.attempt_id) for accepted in stand_in.accepted}
    assert len(stand_in.accepted) == 65
    assert stand_in.connections <= 4


def test_after_an_outage_it_is_found_again_without_doubt(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url) as sendgrid:
        assert send(sendgrid).outcome is ACCEPTED
        stand_in.pause_listening()
        assert [send(sendgrid) for _ in range(3)] == [Receipt(UNAVAILABLE, code="connection")] * 3
        stand_in.resume_listening()
        assert send(sendgrid).outcome is ACCEPTED
    assert len(stand_in.accepted) == 2


def test_a_kept_connection_that_breaks_while_writing_is_no_failure(
    stand_in: SendGridStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transport(stand_in.url) as sendgrid:
        send(sendgrid)
        monkeypatch.setattr("pipeline.transports.connections._is_quiet", lambda _: True)
        ((_, kept),) = sendgrid._mail_send._connections._idle._idle
        assert kept.sock is not None
        kept.sock.shutdown(socket.SHUT_WR)
        assert send(sendgrid).outcome is ACCEPTED
    assert len(stand_in.accepted) == 2


def test_neither_key_nor_address_nor_link_is_logged(
    stand_in: SendGridStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stand_in.script(Status(400))
    with transport(stand_in.url) as sendgrid:
        send(sendgrid)
        send(sendgrid)
    assert not any(part in caplog.text for part in ("SG.", "ann@", "https://"))


def test_what_is_refused_beforehand_costs_no_request(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url) as sendgrid:
        assert send(sendgrid, message(to="ñandú@person.example")) == Receipt(REJECTED, code="limit:address")
        assert send(sendgrid, replace(message(), subject="")) == Receipt(REJECTED, code="limit:subject")
        huge = replace(message(), html="x" * 30_000_000)
        assert send(sendgrid, huge) == Receipt(REJECTED, code="limit:size")
    assert (stand_in.requests, request_body(message()).keys() & {"categories", "send_at"}) == (0, set())
