"""The stand-in itself: its contract, its log, its events."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from sendgrid.helpers.eventwebhook import EventWebhook as Verifier

from pipeline.transports.sendgrid import SendGridTransport, request_body
from tests.pipeline.transports.messages import message, send
from tests.servers.sendgrid import API_KEY, AcceptThenReset, EventManners, SendGridStandIn
from tests.servers.sendgrid_contract import OPENAPI, Contract
from tests.servers.sendgrid_events import PATH, SIGNATURE, TIMESTAMP

PEOPLE = ("ann", "bounce", "block", "drop", "defer", "spam", "silent")


def transport(stand_in: SendGridStandIn) -> "closing[SendGridTransport]":
    return closing(SendGridTransport(API_KEY, host=stand_in.url, timeout=5))


@pytest.mark.skipif(not OPENAPI.exists(), reason="the provider's description does not lie beside this checkout")
def test_the_contract_is_the_providers_with_its_gaps_filled() -> None:
    contract = Contract(OPENAPI)
    assert contract.complete
    good: Any = json.loads(json.dumps(request_body(message())))
    to = good["personalizations"][0]["to"]
    assert contract.violations(good) == []
    assert contract.violations({**good, "custom_args": {"attempt_id": "1"}}) == []
    assert contract.violations({**good, "from": {**good["from"], "name": "Ñandú, S.A."}}) == []
    for bad in (
        {**good, "custom_args": "1"},
        {**good, "subject": ""},
        {**good, "content": []},
        {**good, "content": good["content"][::-1]},
        {**good, "from": {"name": "nobody"}},
        {**good, "from": {"email": "ñ@org.example"}},
        {**good, "tracking": {}},
        {**good, "tracking_settings": {"click_tracking": {"enabled": False}}},
        {**good, "headers": {"Subject": "x"}},
        {**good, "headers": {"X-Number": 1}},
        {**good, "headers": {"X-Two": "a\nb"}},
        {**good, "send_at": 2**40},
        {**good, "categories": ["x"] * 2},
        {**good, "personalizations": [{"to": []}]},
        {**good, "personalizations": [{"to": [{"email": f"{n}@x.example"} for n in range(1001)]}]},
        {**good, "personalizations": [{"to": to * 2}]},
        {**good, "personalizations": [{"to": [{**to[0], "name": "a, b"}]}]},
        {**good, "personalizations": [{"to": to, "custom_args": {"a": "x" * 10_000}}]},
    ):
        assert contract.violations(bad) != [], bad
    assert contract.violations(good, size=30_000_000) != []


def test_without_the_description_the_essentials_are_still_checked_and_all_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "accepted.jsonl"
    with SendGridStandIn(openapi=None, log=log) as stand_in, transport(stand_in) as sendgrid:
        mail = message()
        assert send(sendgrid, mail).code == "202"
        headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
        bodies: list[dict[str, Any]] = [{"from": {}}, {**request_body(mail), "content": []}]
        for body in bodies:
            assert httpx.post(f"{stand_in.url}/v3/mail/send", json=body, headers=headers).status_code == 400
        assert httpx.get(f"{stand_in.url}/v3/mail/send", headers=headers).status_code == 405
        assert httpx.post(f"{stand_in.url}/v3/mail", headers=headers).status_code == 404
        assert httpx.get(f"{stand_in.url}/stand-in").json()["accepted"] == 1
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (line["attempt_id"], line["sha256"]) == (str(mail.attempt_id), stand_in.accepted[0].sha256)


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Takes posts, the first one with a 503; what came: signature, timestamp, raw body."""
    came: list[tuple[str, str, bytes]] = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == PATH
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.headers[SIGNATURE], self.headers[TIMESTAMP], body))
            self.send_response(204 if len(came) > 1 else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
            return

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    server.server_close()


def test_events_are_signed_as_the_official_library_verifies_them_and_told_until_they_are_taken(
    endpoint: tuple[str, list[tuple[str, str, bytes]]],
) -> None:
    url, came = endpoint
    manners = EventManners(gather_seconds=0.02, retry_seconds=0.02, bounces_without_ids=True, shuffle=True)
    with SendGridStandIn(events_url=url, manners=manners) as stand_in, transport(stand_in) as sendgrid:
        stand_in.script(AcceptThenReset())
        for name in PEOPLE:
            send(sendgrid, message(to=f"{name}-1@person.example"))
        assert stand_in.events is not None
        assert stand_in.events.wait_until_told()
        verifier = Verifier(stand_in.public_key)
        told = list(stand_in.events.told)
        ids = {mail.to: mail for mail in stand_in.accepted}
    for signature, timestamp, body in came:
        assert body.endswith(b"]\r\n")
        assert verifier.verify_signature(body.decode(), signature, timestamp)
        assert not verifier.verify_signature(body.decode().strip(), signature, timestamp)
    assert Counter((each["email"].partition("-")[0], each["event"]) for each in told) == Counter(
        [
            *(("ann", "processed"), ("ann", "delivered"), ("bounce", "processed"), ("bounce", "bounce")),
            *(("block", "processed"), ("block", "bounce"), ("drop", "dropped"), ("defer", "processed")),
            *(("defer", "deferred"), ("defer", "delivered"), ("spam", "processed"), ("spam", "delivered")),
            ("spam", "spamreport"),
        ]
    )
    assert len({each["sg_event_id"] for each in told}) == len(told)
    for each in told:
        if each["event"] == "bounce":
            assert each.keys().isdisjoint({"sg_message_id", "smtp-id", "attempt_id"})
        else:
            assert each["attempt_id"] == ids[each["email"]].attempt_id
            assert each["sg_message_id"].startswith(ids[each["email"]].message_id + ".")
