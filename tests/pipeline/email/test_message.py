"""Addressing a rendered email, and its form on the wire, read back by an independent parser."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.email.message import Outgoing, Sender, compose, to_bytes
from pipeline.email.render import Rendered

EMAIL_ID = UUID("0190b5d0-7c1e-7000-8000-00000000abcd")
SENDER = Sender("care@org.example", "Niño & Söhne", "reply@org.example")
DATE = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def outgoing(
    subject: str = "Recibimos su solicitud: ñ", text: str = "t", html: str = "<p>h</p>", to: str = "ann@person.example"
) -> Outgoing:
    return compose(Rendered("es", subject, text, html), EMAIL_ID, to, SENDER, date=DATE)


def parsed(message: Outgoing) -> EmailMessage:
    found = message_from_bytes(to_bytes(message), policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def test_headers_name_the_email_and_nobody() -> None:
    message = parsed(outgoing())
    assert dict(message.items()) == {
        "Date": "Sun, 22 Nov 2026 08:30:00 +0000",
        "From": "Niño & Söhne <care@org.example>",
        "To": "ann@person.example",
        "Subject": "Recibimos su solicitud: ñ",
        "Message-ID": f"<{EMAIL_ID}@org.example>",
        "Auto-Submitted": "auto-generated",
        "Content-Language": "es",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="=_{EMAIL_ID.hex}"',
        "Reply-To": "reply@org.example",
    }


# Characters a template can produce; lone surrogates and other line breaks than "\n" cannot come out of one.
written = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=400)


@given(written, written)
def test_both_parts_come_back_as_they_were_written(text: str, html: str) -> None:
    raw = to_bytes(outgoing(text=text, html=html))
    parts = list(parsed(outgoing(text=text, html=html)).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    contents = [part.get_payload(decode=True) for part in parts]
    assert [bytes(content).decode().replace("\r\n", "\n") for content in contents] == [text, html]
    assert re.sub(rb"\r\n", b"", raw).count(b"\n") == 0
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.isascii()


def test_the_same_message_is_the_same_bytes_and_each_attempt_has_its_own_id() -> None:
    assert to_bytes(outgoing()) == to_bytes(outgoing())
    assert outgoing().attempt_id != outgoing().attempt_id


@pytest.mark.parametrize(
    ("to", "recipient"),
    [
        ("ann+x@person.example", "ann+x@person.example"),
        ("ann@müller.example", "ann@xn--mller-kva.example"),
        ("ñandú@person.example", "ñandú@person.example"),
    ],
)
def test_a_recipient_is_the_address_only_with_an_ascii_domain(to: str, recipient: str) -> None:
    assert outgoing(to=to).recipient == recipient


@pytest.mark.parametrize(
    "to",
    [
        *(
            "",
            "ann",
            "ann@",
            "@person.example",
            "a@b@c.example",
            "Ann <ann@person.example>",
            "ann@person.example,b@c.de",
        ),
        *("ann@person.example\r\nBcc: eve@evil.example", "ann\0@person.example", "ann@per son.example", '"a b"@c.de'),
        *("ann@person.example\u2028x", "ann@ü..example"),
    ],
)
def test_anything_but_one_plain_address_is_refused_without_repeating_it(to: str) -> None:
    with pytest.raises(ValueError, match="recipient: must be one plain address") as refused:
        outgoing(to=to)
    assert "ann" not in str(refused.value)


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\0", "\x0b", "\u2028"])
def test_nothing_can_start_another_header(break_: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        outgoing(subject=f"Hello{break_}Bcc: eve@evil.example")
    with pytest.raises(ValueError, match="mail_from_name"):
        Sender("care@org.example", f"Org{break_}Bcc: eve@evil.example")
    with pytest.raises(ValueError, match="mail_from:"):
        Sender(f"care@org.example{break_}", "Org")
    with pytest.raises(ValueError, match="mail_reply_to"):
        Sender("care@org.example", "Org", f"a@b.example{break_}")


def test_a_sender_needs_an_address_every_server_takes() -> None:
    with pytest.raises(ValueError, match="mail_from"):
        Sender("cäre@org.example", "Org")


def test_a_message_in_a_log_says_neither_who_nor_what() -> None:
    shown = repr(outgoing(text="secret text", html="secret html"))
    assert "ann" not in shown
    assert "secret" not in shown
