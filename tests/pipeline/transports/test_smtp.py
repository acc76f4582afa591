"""SMTP against a real server: what each reply means, and when the outcome is unknown."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.email.message import to_bytes
from pipeline.transports import Receipt, SendOutcome
from pipeline.transports.smtp import SmtpServer, SmtpTransport
from tests.pipeline.transports.messages import message
from tests.servers.smtp import DROP, HANG, PASSWORD, USERNAME, SmtpSink

LANE_FAILURE, REJECTED, RETRY = SendOutcome.LANE_FAILURE, SendOutcome.REJECTED, SendOutcome.RETRY
ACCEPTED, UNCERTAIN = SendOutcome.ACCEPTED, SendOutcome.UNCERTAIN


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


def transport(port: int, timeout: float = 10) -> "closing[SmtpTransport]":
    return closing(SmtpTransport(SmtpServer("127.0.0.1", port, "none", "", ""), timeout=timeout))


def test_a_mail_arrives_as_it_was_composed(sink: SmtpSink) -> None:
    mail = message()
    with transport(sink.port) as smtp:
        assert smtp.send(mail) == Receipt(ACCEPTED, code="2.0.0")
    (received,) = sink.received
    assert (received.sender, received.recipient) == ("care@org.example", "ann@person.example")
    assert received.raw == to_bytes(mail)
    assert received.message["Message-ID"] == f"<{mail.email_id}@org.example>"


def test_one_connection_serves_many_mails_and_threads_share_a_few(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        for _ in range(5):
            assert smtp.send(message()).outcome is ACCEPTED
        assert sink.connections == 1
        with ThreadPoolExecutor(4) as pool:
            receipts = list(pool.map(smtp.send, [message() for _ in range(40)]))
    assert {receipt.outcome for receipt in receipts} == {ACCEPTED}
    assert len(sink.received) == 45
    assert sink.connections <= 4


@pytest.mark.parametrize(
    ("step", "reply", "outcome", "code"),
    [
        ("RCPT", "550 5.1.1 <ann@person.example> no such user", REJECTED, "5.1.1"),
        ("RCPT", "550 no such user", REJECTED, "550"),
        ("RCPT", "450 4.7.1 greylisted", RETRY, "4.7.1"),
        ("RCPT", "452 4.2.2 mailbox full", RETRY, "4.2.2"),
        ("RCPT", "550 4.2.1 disagrees with itself", RETRY, "4.2.1"),
        ("RCPT", "421 4.3.2 going down", LANE_FAILURE, "4.3.2"),
        ("RCPT", "530 5.7.0 authentication required", LANE_FAILURE, "5.7.0"),
        ("MAIL", "550 5.7.1 sender refused", LANE_FAILURE, "5.7.1"),
        ("MAIL", "552 5.3.4 too big", REJECTED, "5.3.4"),
        ("MAIL", "451 4.3.0 later", RETRY, "4.3.0"),
        ("DATA", "554 5.6.0 content refused", REJECTED, "5.6.0"),
        ("DATA", "451 4.3.0 later", RETRY, "4.3.0"),
        ("DATA", "421 4.3.2 going down", LANE_FAILURE, "4.3.2"),
    ],
)
def test_a_refusal_is_told_by_its_codes_and_spoils_nothing(
    sink: SmtpSink, step: str, reply: str, outcome: SendOutcome, code: str
) -> None:
    with transport(sink.port) as smtp:
        smtp.send(message())
        sink.reply_to[step].append(reply)
        assert smtp.send(message()) == Receipt(outcome, code=code)
        assert smtp.send(message()).outcome is ACCEPTED
    assert len(sink.received) == 2


@pytest.mark.parametrize("fault", [DROP, HANG])
def test_no_answer_to_the_content_is_uncertain_and_not_repeated(sink: SmtpSink, fault: str) -> None:
    with transport(sink.port, timeout=1) as smtp:
        smtp.send(message())
        sink.reply_to["DATA"].append(fault)
        assert smtp.send(message()) == Receipt(UNCERTAIN, code="no-answer")
        assert len(sink.received) == 2
        assert smtp.send(message()).outcome is ACCEPTED


def test_a_connection_lost_before_the_content_is_not_in_doubt(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        sink.reply_to["RCPT"].append(DROP)
        assert smtp.send(message()) == Receipt(RETRY, code="connection-lost")
        assert smtp.send(message()).outcome is ACCEPTED
        sink.reply_to["RCPT"].append(DROP)  # a kept connection may have gone stale: a new one is tried at once
        assert smtp.send(message()).outcome is ACCEPTED
    assert len(sink.received) == 2


def test_a_server_that_is_away_is_the_lanes_trouble_and_nobody_is_asked_twice() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with transport(port, timeout=0.3) as smtp:  # takes the connection, never greets
            assert smtp.send(message()) == Receipt(LANE_FAILURE, code="connection")
    with transport(port) as smtp:
        assert smtp.send(message()) == Receipt(LANE_FAILURE, code="connection")


def test_a_restarted_server_is_found_again(sink: SmtpSink) -> None:
    with transport(sink.port) as smtp:
        smtp.send(message())
        for kept in list(smtp._idle._idle):
            assert kept[1].sock is not None
            kept[1].sock.shutdown(socket.SHUT_RD)
        assert smtp.send(message()).outcome is ACCEPTED
    assert sink.connections == 2


def certificate(folder: Path) -> tuple[Path, Path]:
    key, chain = folder / "key.pem", folder / "chain.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *subject]
    subprocess.run([*command, "-keyout", key, "-out", chain, "-days", "2"], check=True, capture_output=True)
    return key, chain


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server offers, and what a client that trusts it has."""
    key, chain = certificate(tmp_path_factory.mktemp("tls"))
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(chain, key)
    return offered, ssl.create_default_context(cafile=chain)


def test_starttls_is_required_and_the_certificate_checked(
    sink: SmtpSink, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    offered, trusting = tls
    with SmtpSink(tls=offered) as secure:
        server = SmtpServer("127.0.0.1", secure.port, "starttls", "", "")
        with closing(SmtpTransport(server, timeout=10, tls_context=trusting)) as smtp:
            assert [smtp.send(message()).outcome for _ in range(2)] == [ACCEPTED, ACCEPTED]
        assert secure.connections == 1
        with closing(SmtpTransport(server, timeout=10)) as smtp:
            assert smtp.send(message()) == Receipt(LANE_FAILURE, code="tls-or-login")
    plain = SmtpServer("127.0.0.1", sink.port, "starttls", "", "")
    with closing(SmtpTransport(plain, timeout=10, tls_context=trusting)) as smtp:
        assert smtp.send(message()) == Receipt(LANE_FAILURE, code="tls-or-login")
    assert sink.received == []


@pytest.mark.parametrize(
    ("username", "password", "receipt"),
    [
        (USERNAME, PASSWORD, Receipt(ACCEPTED, code="2.0.0")),
        (USERNAME, "wrong", Receipt(LANE_FAILURE, code="5.7.8")),
        ("", "", Receipt(LANE_FAILURE, code="5.7.0")),
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
            assert smtp.send(message()) == receipt


def test_an_address_beyond_ascii_goes_where_it_is_understood(sink: SmtpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    with transport(sink.port) as smtp:
        assert smtp.send(message(to="ñandú@person.example")).outcome is ACCEPTED
        assert sink.received[0].recipient == "ñandú@person.example"
        monkeypatch.setattr("smtplib.SMTP.has_extn", lambda self, name: False)
        assert smtp.send(message(to="ñandú@person.example")) == Receipt(REJECTED, code="no-smtputf8")
