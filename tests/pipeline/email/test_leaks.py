"""The last look at an email: everything that its context has may be in it, and nothing else."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from config.screening import LANGUAGES
from pipeline.email.contexts import EmailContext
from pipeline.email.kinds import EmailKind, Form
from pipeline.email.leaks import check_addressed, check_parts, has_links
from pipeline.email.message import Outgoing, Sender, compose
from pipeline.email.render import Rendered, forms, render
from pipeline.email.samples import samples
from pipeline.protected import DisclosureRefused

TO = "ana@example.org"
EVERY = [
    pytest.param(kind, form, language, id=f"{kind}-{form}-{language}")
    for kind in EmailKind
    for form in forms(kind)
    for language in LANGUAGES
]


def composed(kind: EmailKind, form: Form = Form.NOTICE, language: str = "en") -> tuple[EmailContext, Outgoing]:
    context = samples(kind, language, form)[0]
    link = getattr(context, "unsubscribe_link", None)
    sender = Sender("care@careroute.example", "Network")
    return context, compose(render(kind, language, context, form), UUID(int=4), TO, sender, unsubscribe_url=link)


def refuse_leaks(context: EmailContext, message: Outgoing) -> None:
    """All that is looked at before an email is handed over."""
    check_parts(context, Rendered(message.language, message.subject, message.text, message.html))
    check_addressed(context, message)


@pytest.mark.parametrize(("kind", "form", "language"), EVERY)
def test_every_email_as_it_is_passes_and_none_with_something_added(kind: EmailKind, form: Form, language: str) -> None:
    for sample in samples(kind, language, form):
        check_parts(sample, render(kind, language, sample, form))
    context, message = composed(kind, form, language)
    refuse_leaks(context, message)
    contact = f'"mailto:{context.organisation.contact_email}'
    link = getattr(context, "link", context.organisation.contact_email)
    changes: list[dict[str, Any]] = [
        {"subject": f"{message.subject} 51"},
        {"subject": f"{message.subject} {TO}"},
        {"subject": f"{message.subject} www.x.example"},
        {"text": f"{message.text}\n{TO}"},
        {"html": message.html.replace("</body>", f"{TO}</body>")},
        {"text": f"{message.text}\nhttps://x.example/?c=1"},
        {"text": f"{message.text}\nwww.x.example"},
        {"text": f"{message.text}\nmailto:{context.organisation.contact_email}?subject=x"},
        {"text": message.text.replace(link, f"https://{link}?c=1")},
        {"html": message.html.replace(contact, f"{contact}?subject=x")},
        {"html": message.html.replace(f'{contact}"', "'mailto:x@x.example'")},
        {"html": message.html.replace("</body>", '<a href="/x">x</a></body>')},
        {"html": message.html.replace("</body>", '<img src="https://x.example/1.gif"></body>')},
        {"html": message.html.replace("</body>", "https://x.example</body>")},
        {"language": "es; c=1"},
        {"unsubscribe_url": "https://x.example/u/1"},
    ]
    if hasattr(context, "link"):
        changes += [
            {"text": message.text.replace(context.link, f"{context.link}?c=1")},
            {"text": message.text.replace(context.link, f"{context.link}#c")},
            {"html": message.html.replace(f'href="{context.link}"', f'href="{context.link}?c=1"')},
            {"html": message.html.replace(f">{context.link}<", f">{context.link}?c=1<")},
        ]
    for change in changes:
        changed = replace(message, **change)
        assert changed != message, change
        with pytest.raises(DisclosureRefused) as refused:
            refuse_leaks(context, changed)
        assert not any(word in str(refused.value) for word in (TO, "x.example", "c=1", "51"))


def test_no_header_may_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    context, message = composed(EmailKind.RECOMMENDATION)
    for added in ({"X-Condition": "x"}, {"Message-ID": "<fibromyalgia@careroute.example>"}):
        headers = {**message.extra_headers, **added}
        with monkeypatch.context() as patch:
            patch.setattr(Outgoing, "extra_headers", headers)
            with pytest.raises(DisclosureRefused):
                refuse_leaks(context, message)


def test_a_provider_may_be_written_to_at_the_address_that_every_email_names() -> None:
    context, message = composed(EmailKind.REFERRAL)
    refuse_leaks(context, replace(message, recipient=context.organisation.contact_email))


@pytest.mark.parametrize("text", ["https://x.example", "//x.example", "www.x.example", "mailto:x", 'href="x"'])
def test_what_could_be_taken_for_a_link_is_found(text: str) -> None:
    assert has_links(f"see {text} there")
    assert not has_links("see the page and/or the form")
