"""Refuses an email that says or links to more than its context: the last look before it is handed over.

That facts are kept out of notice forms is the doing of `Protected` and of contexts that do not have them. This module
holds what a template could still get wrong: a link with something added, an address where none belongs, a header.

Links are counted, not parsed: each `://`, `href=` and so on has to be accounted for by a link that the context
has, delimited as it should be. That takes some microseconds, where parsing would halve the throughput.
"""

import re
from collections.abc import Iterable
from html import escape

from config.screening import LANGUAGES
from pipeline.email.contexts import EmailContext
from pipeline.email.message import Outgoing
from pipeline.email.render import Rendered
from pipeline.protected import DisclosureRefused

HEADERS = frozenset(
    {
        *("Message-ID", "Auto-Submitted", "Content-Language"),
        *("List-Unsubscribe", "List-Unsubscribe-Post"),
    }
)
"""All that may be sent beside what every message has. Their values are ids, our own links and codes."""

_MORE_THAN_WORDS = re.compile(r"[\d@<>=]|//|www\.")
_SIGNS_OF_LINKS = ("//", "http", "www.", "mailto:", "href=", "src=")
_NAMESPACE = ' xmlns="http://www.w3.org/1999/xhtml"'
_HEAD = 500
"""The namespace is declared in the first element, so further than this it is not looked for."""


def check_addressed(context: EmailContext, message: Outgoing) -> None:
    """What can be said once parts that `check_parts` let pass are addressed: recipient and headers.

    Raises `DisclosureRefused` naming the part of the message that has more in it than it may; never what it is.
    """
    organisation = context.organisation
    if message.recipient != organisation.contact_email and (
        message.recipient in message.text or message.recipient in message.html
    ):
        raise DisclosureRefused("the body names the recipient's address")
    if message.unsubscribe_url != getattr(context, "unsubscribe_link", None):
        raise DisclosureRefused("a header links to something else")
    headers = message.extra_headers
    if not headers.keys() <= HEADERS or headers["Message-ID"] != f"<{message.email_id}@{message.sender.domain}>":
        raise DisclosureRefused("a header is not one of those that are sent")


def check_parts(context: EmailContext, rendered: Rendered) -> None:
    """What can be said of an email before it is addressed. Raises `DisclosureRefused`, as `check_addressed`."""
    if rendered.language not in LANGUAGES:
        raise DisclosureRefused("the language is none of ours")
    if _MORE_THAN_WORDS.search(rendered.subject.replace(context.reference, "", 1)):
        raise DisclosureRefused("the subject holds more than words and the reference")
    links = [link for name in ("link", "unsubscribe_link") if (link := getattr(context, name, None))]
    if not _text_is_accounted_for(rendered.text, links):
        raise DisclosureRefused("the text links to something else")
    if not _html_is_accounted_for(rendered.html, links, context.organisation.contact_email):
        raise DisclosureRefused("the HTML links to something else")


def has_links(text: str) -> bool:
    """Whether a mail program, or this module, could take something in a text for a link."""
    return any(sign in text for sign in _SIGNS_OF_LINKS)


def _text_is_accounted_for(text: str, links: Iterable[str]) -> bool:
    words = text.split()
    known = [(link, words.count(link)) for link in links]
    return all(
        text.count(sign) == sum(link.count(sign) * times for link, times in known)
        for sign in ("//", "http", "www.", "mailto:")
    )


def _html_is_accounted_for(html: str, links: Iterable[str], contact: str) -> bool:
    escaped = [escape(link) for link in links]
    targets = [f'"{link}"' for link in escaped]
    targets.append(f'"mailto:{escape(contact)}"')
    urls = html.count(_NAMESPACE, 0, _HEAD)
    for attribute in html.split("href=")[1:]:
        target = next((each for each in targets if attribute.startswith(each)), None)
        if target is None:
            return False
        urls += target.count("://")
    urls += sum(html.count(f">{link}<") * link.count("://") for link in escaped)
    return html.count("://") == urls
