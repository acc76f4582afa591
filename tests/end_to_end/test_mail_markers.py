"""What leaves as mail: every kind of email by every transport, taken apart, and searched for what people said."""

import email
import email.policy
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import orjson
import pytest

from config.screening import DataClass
from pipeline.context import Context
from pipeline.email.kinds import EmailKind
from pipeline.email.message import Outgoing
from pipeline.models import DeadJob, Email
from pipeline.transports import Receipt, Transport
from pipeline.transports.mailbox import MailboxTransport
from pipeline.transports.null import NullTransport
from pipeline.transports.sendgrid import SendGridTransport
from pipeline.transports.smtp import SmtpServer, SmtpTransport
from tests.end_to_end.haystacks import Hay, find
from tests.pipeline.stages.every_kind import ADDRESSES, BUDGET, DESK, FACTS, HEALTH, IDENTITY, every_kind
from tests.pipeline.transports.conftest import certificate
from tests.servers.sendgrid import API_KEY, SendGridStandIn
from tests.servers.smtp import SmtpSink
from tests.support.work import drain, table

OUR_LINKS = re.compile(r"http://127\.0\.0\.1:8000/(s/[\w-]{43}|u/[\w-]{54}|screening\?lang=(es|en))")
NAMESPACE = "http://www.w3.org/1999/xhtml"
ANY_LINK = re.compile(r"https?://[^\s\"'<>]+")
EVERY_FACT = {*HEALTH, *(fact for facts in FACTS.values() for fact in facts if len(fact) > len("Blue Mesa"))}


@dataclass(frozen=True, slots=True)
class Left:
    """One email as it left. `around` is all but the bodies and the recipient's address; `raw` all but the address."""

    message_id: str
    to: str
    around: str
    bodies: tuple[str, str]
    raw: bytes


@dataclass(frozen=True, slots=True)
class WayOut:
    transport: Transport
    left: Callable[[], Iterator[Left]]


class Remembering(NullTransport):
    """The null transport forgets what it is given; this one does not."""

    def __init__(self) -> None:
        self.given: list[tuple[Outgoing, bytes]] = []

    def send(self, message: Outgoing, content: bytes) -> Receipt:
        self.given.append((message, content))
        return super().send(message, content)


def test_no_fact_leaves_but_in_a_full_form_by_a_way_out_that_is_cleared(
    sqlite_context: Context, tmp_path: Path
) -> None:
    context = sqlite_context
    waiting = every_kind(context)
    kinds = {str(row.id): EmailKind(row.kind) for row in table(context.database, Email.table())}
    with ExitStack() as stack:
        for name, way_out in ways_out(stack, tmp_path):
            drain(context, "email", transport=way_out.transport)
            assert table(context.database, DeadJob.table()) == [], name
            left = list(way_out.left())
            assert {kinds[each.message_id] for each in left} == set(EmailKind), name
            cleared = way_out.transport.clearance is DataClass.HEALTH
            for each in left:
                kind = kinds[each.message_id]
                look_at(each, kind, f"{name} {kind}", full=cleared and kind in FACTS)
            waiting.queue_again()


def look_at(left: Left, kind: EmailKind, where: str, *, full: bool) -> None:
    assert left.to == DESK or left.to in ADDRESSES, where
    parts = [Hay("body", where, body.encode()) for body in left.bodies]
    everything = [Hay("around", where, left.around.encode()), Hay("raw", where, left.raw), *parts]
    assert find([*IDENTITY, *BUDGET], everything) == []
    assert not any(re.search(r"\b94110\b", body) for body in left.bodies), where
    assert find(EVERY_FACT, [everything[0]]) == [], "subjects and headers hold no fact in any form"
    if full:
        assert all(fact in body for fact in FACTS[kind] for body in left.bodies), where
    else:
        assert find(EVERY_FACT, everything) == []
    links = {link for body in (*left.bodies, left.around) for link in ANY_LINK.findall(body)} - {NAMESPACE}
    assert [link for link in links if not OUR_LINKS.fullmatch(link)] == [], where


def ways_out(stack: ExitStack, folder: Path) -> Iterator[tuple[str, WayOut]]:
    for clearance in (DataClass.PUBLIC, DataClass.HEALTH):
        mailbox = folder / f"mailbox-{clearance}"
        yield f"mailbox, {clearance}", WayOut(MailboxTransport(mailbox, clearance), _in_mailbox(mailbox))
    null = Remembering()
    yield "null", WayOut(null, lambda: map(_forgotten, null.given))
    plain = stack.enter_context(SmtpSink())
    server = SmtpServer("127.0.0.1", plain.port, "none", "", "")
    smtp = stack.enter_context(closing(SmtpTransport(server, timeout=10)))
    yield "smtp", WayOut(smtp, lambda: (_message(each.raw, each.recipient) for each in plain.received))
    offered, trusting = _tls(folder)
    secure = stack.enter_context(SmtpSink(tls=offered))
    server = SmtpServer("127.0.0.1", secure.port, "starttls", "", "")
    over_tls = SmtpTransport(server, timeout=10, clearance=DataClass.HEALTH, tls_context=trusting)
    stack.enter_context(closing(over_tls))
    yield "smtp, cleared", WayOut(over_tls, lambda: (_message(each.raw, each.recipient) for each in secure.received))
    stand_in = stack.enter_context(SendGridStandIn())
    sendgrid = stack.enter_context(closing(SendGridTransport(API_KEY, host=stand_in.url, timeout=10)))
    yield "sendgrid", WayOut(sendgrid, lambda: (_posted(each.raw) for each in stand_in.accepted))
    assert stand_in.violations == []


def _tls(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key, chain = certificate(folder)
    offered = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    offered.load_cert_chain(chain, key)
    return offered, ssl.create_default_context(cafile=chain)


def _in_mailbox(folder: Path) -> Callable[[], Iterator[Left]]:
    return lambda: (_message(path.read_bytes(), None) for path in folder.glob("*"))


def _message(raw: bytes, recipient: str | None) -> Left:
    """`recipient` is that of the envelope, if there was one."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    to = str(message["To"])
    assert recipient in {None, to}
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    headers = [f"{name}: {value}" for part in message.walk() for name, value in part.items() if name != "To"]
    (line,) = re.findall(rb"^To: .*\r\n", raw, re.MULTILINE)
    return Left(
        str(message["Message-ID"]).strip("<>").partition("@")[0],
        to,
        "\n".join(headers),
        (text.get_content(), html.get_content()),
        raw.replace(line, b"", 1),
    )


def _forgotten(given: tuple[Outgoing, bytes]) -> Left:
    message, content = given
    recipient, subject, text, html = content.decode().split("\0")
    return Left(str(message.email_id), recipient, subject, (text, html), content.removeprefix(recipient.encode()))


def _posted(raw: bytes) -> Left:
    body = orjson.loads(raw)
    (personalization,) = body["personalizations"]
    (to,) = personalization.pop("to")
    assert to.keys() == {"email"}
    assert personalization.keys() == {"custom_args"}
    assert personalization["custom_args"].keys() == {"attempt_id"}
    without = orjson.dumps(body)
    text, html = (part["value"] for part in body.pop("content"))
    id_ = body["headers"]["Message-ID"].strip("<>").partition("@")[0]
    return Left(id_, to["email"], orjson.dumps(body).decode(), (text, html), without)


@pytest.mark.parametrize("where", ["around", "bodies", "raw", "encoded"])
def test_the_search_finds_a_fact_wherever_it_is_put(where: str) -> None:
    fact = "Fibromialgia"
    clean = Left("1", DESK, "Subject: x", ("x", "x"), b"x")
    look_at(clean, EmailKind.CONFIRMATION, "clean", full=False)
    planted = {
        "around": Left("1", DESK, f"Subject: {fact}", ("x", "x"), b"x"),
        "bodies": Left("1", DESK, "", ("x", fact), b"x"),
        "raw": Left("1", DESK, "", ("x", "x"), fact.encode()),
        "encoded": Left("1", DESK, "", ("x", "x"), b"X-A: " + fact.encode().hex().encode()),
    }
    with pytest.raises(AssertionError):
        look_at(planted[where], EmailKind.CONFIRMATION, where, full=False)
