"""The two headers of one-click unsubscribe (RFC 8058, 3.1), in the bytes that leave: which mail has them, and how.

A DKIM signature (RFC 6376, 3.4) covers header lines as they are: each is there once, in ASCII, on one line.
"""

import re
import uuid

import pytest
from pydantic import ValidationError

from config.settings import Settings
from pipeline.context import Context
from pipeline.email.kinds import RULES, EmailKind, MailClass
from pipeline.email.message import Sender, compose, to_bytes
from pipeline.email.render import render
from pipeline.email.samples import samples
from pipeline.models import Email
from pipeline.secure_link import email_to_unsubscribe, unsubscribe_url
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain, table

SENDER = Sender("care@org.example", "Niño & Söhne", "reply@org.example")
POST = b"List-Unsubscribe-Post: List-Unsubscribe=One-Click"


def header_lines(raw: bytes, name: bytes) -> list[bytes]:
    """The header as it is on the wire, each time it is there, with the lines that continue it."""
    head = raw.partition(b"\r\n\r\n")[0]
    return re.findall(rb"(?im)^" + re.escape(name) + rb":[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", head)


def check(context: Context, kind: EmailKind, email_id: uuid.UUID, raw: bytes) -> None:
    listed, posted = header_lines(raw, b"List-Unsubscribe"), header_lines(raw, b"List-Unsubscribe-Post")
    if RULES[kind].mail_class is MailClass.TRANSACTIONAL:
        assert b"list-unsubscribe" not in raw.lower()
        assert b"/u/" not in raw
        return
    (line,) = listed
    assert posted == [POST]
    assert line.isascii()
    assert len(line) < 998
    match = re.fullmatch(rb"List-Unsubscribe: <https?://[^\s<>,]+/u/([A-Za-z0-9_-]+)>", line)
    assert match is not None
    assert email_to_unsubscribe(context.vault, match[1].decode()) == email_id


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_kind_of_mail_that_was_asked_for_has_both_headers_and_no_other(
    sqlite_context: Context, language: str
) -> None:
    for kind in EmailKind:
        for sample in samples(kind, language):
            email_id = uuid.uuid4()
            url = unsubscribe_url(f"https://{'long.' * 40}example", sqlite_context.vault, email_id)
            ends = RULES[kind].mail_class.can_be_unsubscribed
            rendered = render(kind, language, sample)
            message = compose(rendered, email_id, "ann@person.example", SENDER, unsubscribe_url=url if ends else None)
            assert hasattr(sample, "unsubscribe_link") == ends, "the page that the header names is linked, too"
            check(sqlite_context, kind, email_id, to_bytes(message))


def test_what_really_leaves_has_them(sqlite_context: Context) -> None:
    transport = ScriptedTransport()
    submit(sqlite_context, email="bea@example.org", condition="hair_loss", contraindications=["active_cancer"])
    submit(sqlite_context)
    drain(sqlite_context, transport=transport)
    kinds = {row.id: EmailKind(row.kind) for row in table(sqlite_context.database, Email.table())}
    assert {kinds[each.email_id] for each in transport.sent} == {
        EmailKind.CONFIRMATION,
        EmailKind.NO_MATCH,
        EmailKind.RECOMMENDATION,
        EmailKind.REFERRAL,
    }
    for message in transport.sent:
        check(sqlite_context, kinds[message.email_id], message.email_id, transport.encode(message))


@pytest.mark.parametrize(
    "url",
    ["https://clínica.example", "https://a.example/ x", "https://a.example/>,<b:", "https://a.example/\r\nBcc: x"],
)
def test_an_address_of_the_pages_that_no_header_can_hold_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(public_url=url)
