"""SMTP against a real server: what each reply means, and when the outcome is unknown."""

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from pipeline.email.message import to_bytes
from pipeline.transports import Receipt, SendOutcome
from pipeline.transports.smtp import NO_TLS_OR_LOGIN, SmtpServer, SmtpTransport
from tests.pipeline.transports.messages import message, send
from tests.servers.smtp import DROP, HANG, PASSWORD, USERNAME, SmtpSink

LANE_FAILURE, REJECTED, RETRY = SendOutcome.LANE_FAILURE, SendOutcome.REJECTED, SendOutcome.RETRY
ACCEPTED, UNCERTAIN, UNAVAILABLE = SendOutcome.ACCEPTED, SendOutcome.UNCERTAIN, SendOutcome.UNAVAILABLE
CHECK_LOGIN = "login refused: check CAREROUTE_SMTP_USERNAME and CAREROUTE_SMTP_PASSWORD"


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


def transport(port: int, timeout: float = 10) -> "closing[SmtpTransport]":
    return closing(SmtpTransport(SmtpServer("127.0.0.1", port, "none", "", ""), timeout=timeout))


def test_a_mail_arrives_as_it_was_composed(sink: SmtpSink) -> None:
    mail = message()
    with transport(sink.port) as smtp:
        assert send(smtp, mail) == Receipt(ACCEPTED, code="2.0.0")
    (received,) = sink.received
    assert (received.sender, received.recipient) == ("care@org.example", "ann@person.example")
    assert received.raw == to_bytes(mail)
    assert received.message["Message-ID"] == f"<{mail.email_id}@org.example>"


def test_one_connection_serves_many_mails_and_threads_share_a_few(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        for _ in range(5):
            assert send(smtp).outcome is ACCEPTED
        assert sink.connections == 1
        with ThreadPoolExecutor(4) as pool:
            receipts = list(pool.map(partial(send, smtp), [message() for _ in range(40)]))
    assert {receipt.outcome for receipt in receipts} == {ACCEPTED}
    assert len(sink.received) == 45
    assert sink.connections <= 4


@pytest.mark.parametrize(
    ("step", "reply", "outcome", "code"),
    [
        ("RCPT", "550 5.1.1 <ann@person.example> no such user", REJECTED, "5.1.1"),
        ("RCPT", "452 4.2.2 mailbox full", RETRY, "4.2.2"),
        ("RCPT", "421 4.3.2 going down", UNAVAILABLE, "4.3.2"),
        ("MAIL", "550 5.7.1 not you", LANE_FAILURE, "5.7.1 sender refused: check CAREROUTE_MAIL_FROM"),
        ("DATA", "554 5.6.0 content refused", REJECTED, "5.6.0"),
        ("DATA", "451 4.3.0 later", UNAVAILABLE, "4.3.0"),
        ("DATA", "421 4.3.2 going down", UNAVAILABLE, "4.3.2"),
    ],
)
def test_a_refusal_is_told_by_its_codes_and_spoils_nothing(
    sink: SmtpSink, step: str, reply: str, outcome: SendOutcome, code: str
) -> None:
    with transport(sink.port) as smtp:
        send(smtp)
        sink.reply_to[step].append(reply)
        assert send(smtp) == Receipt(outcome, code=code, bad_address=code == "5.1.1")
        assert send(smtp).outcome is ACCEPTED
    assert len(sink.received) == 2


@pytest.mark.parametrize("fault", [DROP, HANG])
def test_no_answer_to_the_content_is_uncertain_and_not_repeated(sink: SmtpSink, fault: str) -> None:
    with transport(sink.port, timeout=1) as smtp:
        send(smtp)
        sink.reply_to["DATA"].append(fault)
        assert send(smtp) == Receipt(UNCERTAIN, code="no-answer")
        assert len(sink.received) == 2
        assert send(smtp).outcome is ACCEPTED


def test_a_connection_lost_before_the_content_is_not_in_doubt(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        sink.reply_to["RCPT"].append(DROP)
        assert send(smtp) == Receipt(UNAVAILABLE, code="connection-lost")
        assert send(smtp).outcome is ACCEPTED
        sink.reply_to["RCPT"].append(DROP)  # a kept connection may have gone stale: a new one is tried at once
        assert send(smtp).outcome is ACCEPTED
    assert len(sink.received) == 2


def test_a_goodbye_to_an_idle_connection_is_not_an_answer(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        send(smtp)
        sink.reply_to["MAIL"].append("421 4.4.2 idle for too long")
        assert send(smtp).outcome is ACCEPTED
        assert sink.connections == 2
        sink.reply_to["MAIL"] += ["421 4.4.2 idle for too long", "421 4.7.0 too many connections"]
        assert send(smtp) == Receipt(UNAVAILABLE, code="4.7.0")


def test_a_server_that_is_away_is_unavailable_and_nobody_is_asked_twice() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with transport(port, timeout=0.3) as smtp:  # takes the connection, never greets
            assert send(smtp) == Receipt(UNAVAILABLE, code="connection")
    with transport(port) as smtp:
        assert send(smtp) == Receipt(UNAVAILABLE, code="connection")


def test_a_restarted_server_is_found_again(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        send(smtp)
        for kept in list(smtp._idle._idle):
            assert kept[1].sock is not None
            kept[1].sock.shutdown(socket.SHUT_RD)
        assert send(smtp).outcome is ACCEPTED
    assert sink.connections == 2


def test_starttls_is_required_and_the_certificate_checked(
    sink: SmtpSink, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    offered, trusting = tls
    with SmtpSink(tls=offered) as secure:
        server = SmtpServer("127.0.0.1", secure.port, "starttls", "", "")
        with closing(SmtpTransport(server, timeout=10, tls_context=trusting)) as smtp:
            assert [send(smtp).outcome for _ in range(2)] == [ACCEPTED, ACCEPTED]
        assert secure.connections == 1
        with closing(SmtpTransport(server, timeout=10)) as smtp:
            assert send(smtp) == Receipt(LANE_FAILURE, code=NO_TLS_OR_LOGIN)
    plain = SmtpServer("127.0.0.1", sink.port, "starttls", "", "")
    with closing(SmtpTransport(plain, timeout=10, tls_context=trusting)) as smtp:
        assert send(smtp) == Receipt(LANE_FAILURE, code=NO_TLS_OR_LOGIN)
    assert sink.received == []


@pytest.mark.parametrize(
    ("username", "password", "receipt"),
    [
        (USERNAME, PASSWORD, Receipt(ACCEPTED, code="2.0.0")),
        (USERNAME, "wrong", Receipt(LANE_FAILURE, code=f"5.7.8 {CHECK_LOGIN}")),
        ("", "", Receipt(LANE_FAILURE, code=f"5.7.0 {CHECK_LOGIN}")),
    ],
    ids=["right", "wrong", "none"],
)
def test_a_login_that_fails_fails_for_everyone(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], username: str, password: str, receipt: Receipt
) -> None:
    offered, trusting = tls
    with SmtpSink(tls=offered, login=True) as sink:
        server = SmtpServer("127.0.0.1", sink.port, "starttls", username, password)
        with closing(SmtpTransport(server, timeout=10, tls_context=trusting)) as smtp:
            assert send(smtp) == receipt


def test_an_address_beyond_ascii_goes_where_it_is_understood(sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    with transport(sink.port) as smtp:
        assert send(smtp, message(to="ñandú@person.example")).outcome is ACCEPTED
        assert sink.received[0].recipient == "ñandú@person.example"
        monkeypatch.setattr("smtplib.SMTP.has_extn", lambda self, name: False)
        assert send(smtp, message(to="ñandú@person.example")) == Receipt(REJECTED, code="no-smtputf8")
