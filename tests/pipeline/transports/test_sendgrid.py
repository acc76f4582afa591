"""SendGrid against the stand-in, which holds every request against SendGrid's own description of its API."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.email.kinds import EmailKind
from pipeline.transports import Receipt, SendOutcome
from pipeline.transports.sendgrid import SendGridTransport, request_body
from tests.pipeline.transports.messages import message
from tests.servers.sendgrid import (
    API_KEY,
    AcceptThenReset,
    Fault,
    Hang,
    ResetBeforeReading,
    Sandbox,
    SendGridStandIn,
    Status,
)
from tests.servers.sendgrid_contract import OPENAPI, Contract

LANE_FAILURE, REJECTED, RETRY = SendOutcome.LANE_FAILURE, SendOutcome.REJECTED, SendOutcome.RETRY
ACCEPTED, UNCERTAIN = SendOutcome.ACCEPTED, SendOutcome.UNCERTAIN


@pytest.fixture
def stand_in() -> Iterator[SendGridStandIn]:
    with SendGridStandIn() as sendgrid:
        yield sendgrid


def transport(url: str, *, key: str = API_KEY, timeout: float = 10) -> "closing[SendGridTransport]":
    return closing(SendGridTransport(key, host=url, timeout=timeout))


@pytest.mark.parametrize("kind", EmailKind)
def test_every_kind_is_accepted_under_the_providers_own_contract(stand_in: SendGridStandIn, kind: EmailKind) -> None:
    mail = message(kind=kind)
    with transport(stand_in.url) as sendgrid:
        receipt = sendgrid.send(replace(mail, sender=replace(mail.sender, reply_to="reply@org.example")))
    assert stand_in.violations == []
    (accepted,) = stand_in.accepted
    assert receipt == Receipt(ACCEPTED, accepted.message_id, "202")
    assert (accepted.to, accepted.email_id) == ("ann@person.example", str(mail.email_id))


def test_the_provider_is_told_nothing_but_the_mail_and_a_random_id() -> None:
    mail = message()
    body = request_body(mail)
    assert set(body) == {"personalizations", "from", "subject", "content", "headers", "tracking_settings"}
    custom = {"attempt_id": str(mail.attempt_id)}
    assert body["personalizations"] == [{"to": [{"email": "ann@person.example"}], "custom_args": custom}]
    assert UUID(custom["attempt_id"]).version == 4
    assert set(body["headers"]) == {"Message-ID", "Auto-Submitted", "Content-Language"}
    tracking = body["tracking_settings"]
    assert set(tracking) == {"click_tracking", "open_tracking", "subscription_tracking", "ganalytics"}
    assert not any(value for setting in tracking.values() for value in setting.values())


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        (Sandbox(), REJECTED, "sandbox"),
        (Status(400), REJECTED, "400:from.email"),
        (Status(413), REJECTED, "413"),
        (Status(415), REJECTED, "415"),
        (Status(401), LANE_FAILURE, "401"),
        (Status(403), LANE_FAILURE, "403"),
        (Status(404), LANE_FAILURE, "404"),
        (Status(429), LANE_FAILURE, "429"),
        (Status(302), LANE_FAILURE, "302"),
        (Status(500), RETRY, "500"),
        (Status(502), RETRY, "502"),
        (Status(503), RETRY, "503"),
        (Status(504), UNCERTAIN, "504"),
        (Hang(), UNCERTAIN, "no-answer"),
        (AcceptThenReset(), UNCERTAIN, "no-answer"),
    ],
    ids=lambda value: value.code if isinstance(value, Status) else value,
)
def test_what_each_answer_means_on_a_new_and_on_a_kept_connection(
    stand_in: SendGridStandIn, fault: Fault, outcome: SendOutcome, code: str
) -> None:
    stand_in.script(fault, None, fault, None)
    with transport(stand_in.url, timeout=0.5) as sendgrid:
        receipts = [sendgrid.send(message()) for _ in range(4)]
    assert [(each.outcome, each.code) for each in receipts] == [(outcome, code), (ACCEPTED, "202")] * 2
    lost = 2 if isinstance(fault, AcceptThenReset) else 0
    assert len(stand_in.accepted) == 2 + lost
    assert stand_in.requests == 4, "no request is repeated by the transport"


def test_a_reset_with_the_request_unread_is_never_taken_for_accepted(stand_in: SendGridStandIn) -> None:
    stand_in.always(ResetBeforeReading())
    with transport(stand_in.url) as sendgrid:
        receipts = [sendgrid.send(message()) for _ in range(10)]
    # Whether the reset comes while writing or while waiting is a race; both answers are true.
    assert {receipt.outcome for receipt in receipts} <= {RETRY, UNCERTAIN}
    assert stand_in.accepted == []


def test_nobody_there_is_the_lanes_trouble() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", "http://sendgrid.invalid", f"https://127.0.0.1:{port}"):
        with transport(url) as sendgrid:
            assert sendgrid.send(message()) == Receipt(LANE_FAILURE, code="connection")


def test_a_wrong_key_is_the_lanes_trouble(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url, key="SG.wrong") as sendgrid:
        assert sendgrid.send(message()) == Receipt(LANE_FAILURE, code="401")


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        (lambda now: {"X-RateLimit-Reset": str(int(now) + 600)}, 300, 600),
        (lambda now: {"X-RateLimit-Reset": str(int(now) - 60)}, 1, 1),
        (lambda now: {"X-RateLimit-Reset": str(int(now) + 10**9)}, 3600, 3600),
        (lambda _: {"Retry-After": "17"}, 17, 17),
        (lambda now: {"Retry-After": formatdate(now + 600, usegmt=True)}, 300, 600),
    ],
)
def test_it_is_said_how_long_to_wait(
    stand_in: SendGridStandIn, headers: Callable[[float], dict[str, str]], least: float, most: float
) -> None:
    stand_in.script(Status(429, headers=headers(time.time())))
    with transport(stand_in.url) as sendgrid:
        wait = sendgrid.send(message()).retry_after
    assert wait is not None
    assert least <= wait <= most


@pytest.mark.parametrize("headers", [{"X-RateLimit-Reset": "soon"}, {"Retry-After": "soon"}, {"X-Other": "1"}])
def test_nonsense_about_waiting_is_no_answer(stand_in: SendGridStandIn, headers: dict[str, str]) -> None:
    stand_in.script(Status(429, headers=headers))
    with transport(stand_in.url) as sendgrid:
        assert sendgrid.send(message()) == Receipt(LANE_FAILURE, code="429")


def test_connections_are_kept_and_shared_by_threads(stand_in: SendGridStandIn) -> None:
    with transport(stand_in.url) as sendgrid:
        for _ in range(5):
            sendgrid.send(message())
        assert stand_in.connections == 1
        with ThreadPoolExecutor(4) as pool:
            mails = [message() for _ in range(60)]
            receipts = list(pool.map(sendgrid.send, mails))
    assert {receipt.outcome for receipt in receipts} == {ACCEPTED}
    assert {mail.attempt_id for mail in mails} <= {UUID(accepted.attempt_id) for accepted in stand_in.accepted}
    assert len(stand_in.accepted) == 65
    assert stand_in.connections <= 4


def test_a_restarted_provider_is_found_again_without_doubt() -> None:
    first = SendGridStandIn()
    port = int(first.url.rpartition(":")[2])
    with transport(first.url) as sendgrid:
        assert sendgrid.send(message()).outcome is ACCEPTED
        first.close()
        assert sendgrid.send(message()).outcome is LANE_FAILURE
        with SendGridStandIn(port=port) as second:
            assert sendgrid.send(message()).outcome is ACCEPTED
            assert len(second.accepted) == 1


def test_neither_key_nor_address_nor_link_is_logged(
    stand_in: SendGridStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    stand_in.script(Status(400))
    with transport(stand_in.url) as sendgrid:
        sendgrid.send(message())
        sendgrid.send(message())
    assert not any(part in caplog.text for part in ("SG.", "ann@", "https://"))


@pytest.mark.skipif(not OPENAPI.exists(), reason="the provider's description does not lie beside this checkout")
def test_the_contract_is_the_providers_with_its_gaps_filled() -> None:
    contract = Contract(OPENAPI)
    assert contract.complete
    good = request_body(message())
    assert contract.violations(good) == []
    assert contract.violations({**good, "custom_args": {"attempt_id": "1"}}) == []
    for bad in (
        {**good, "custom_args": "1"},
        {**good, "subject": ""},
        {**good, "content": []},
        {**good, "content": good["content"][::-1]},
        {**good, "from": {"name": "nobody"}},
        {**good, "tracking": {}},
        {**good, "headers": {"Subject": "x"}},
        {**good, "personalizations": [{"to": []}]},
        {**good, "personalizations": [{"to": good["personalizations"][0]["to"] * 1001}]},
    ):
        assert contract.violations(bad) != [], bad


def test_without_the_description_the_essentials_are_still_checked(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    with SendGridStandIn(openapi=None, log=log) as sendgrid, transport(sendgrid.url) as client:
        mail = message()
        assert client.send(mail).outcome is ACCEPTED
        assert client.send(replace(mail, subject="")).outcome is ACCEPTED  # only the description knows this rule
        assert client._client.mail.send.post(request_body={"from": {}}).status_code == 400
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["attempt_id"] for line in lines] == [str(mail.attempt_id)] * 2
