"""Every email, rendered from its samples in every form and language, held to the rules of all of them."""

from collections.abc import Iterator

from jinja2 import TemplateError

from config.claims import claims_in
from config.screening import LANGUAGES
from pipeline.claims.findings import Finding, FindingKind
from pipeline.claims.shown import shown_text
from pipeline.email.compiling import TEMPLATES
from pipeline.email.contexts import EmailContext
from pipeline.email.kinds import EmailKind, Form
from pipeline.email.leaks import check_parts
from pipeline.email.render import Rendered, forms, render
from pipeline.email.samples import samples
from pipeline.protected import DisclosureRefused

LARGEST_PART = 60_000
"""Bytes. Gmail cuts a message off at 102 KB, and what is left out may be a notice."""
LONGEST_SUBJECT = 78
"""Characters, as RFC 5322 (2.1.1) advises for a line."""


def email_findings() -> Iterator[Finding]:
    """Of every kind, form, language and sample."""
    for kind, form, language, number, sample in every_sample():
        yield from rendered_findings(kind, language, sample, form, f"{form}, {language}, sample {number}")


def every_sample() -> Iterator[tuple[EmailKind, Form, str, int, EmailContext]]:
    """With its number among those of its kind, form and language, from 1."""
    for kind in EmailKind:
        for form in forms(kind):
            for language in LANGUAGES:
                for number, sample in enumerate(samples(kind, language, form), start=1):
                    yield kind, form, language, number, sample


def rendered_findings(
    kind: EmailKind, language: str, context: EmailContext, form: Form, where: str
) -> Iterator[Finding]:
    """Of one email. `where` tells it from others of its kind."""
    found = rendered_or_finding(kind, language, context, form, where)
    if isinstance(found, Finding):
        yield found
        return
    for kind_of_finding, part, message in _in_parts(found):
        yield _finding(kind, form, kind_of_finding, f"{where}, {part}", message)


def rendered_or_finding(
    kind: EmailKind, language: str, context: EmailContext, form: Form, where: str
) -> Rendered | Finding:
    """The email, or why it would not be sent."""
    try:
        rendered = render(kind, language, context, form)
        check_parts(context, rendered)
    except DisclosureRefused as refused:
        return _finding(kind, form, FindingKind.LEAK, where, str(refused))
    except (TemplateError, ValueError) as error:
        return _finding(kind, form, FindingKind.TEMPLATE, where, f"cannot be rendered: {error}")
    return rendered


def _in_parts(rendered: Rendered) -> Iterator[tuple[FindingKind, str, str]]:
    parts = {"subject": rendered.subject, "text": rendered.text, "html": shown_text(rendered.html)}
    for part, text in parts.items():
        for message in dict.fromkeys(claim.message for claim in claims_in(text)):
            yield FindingKind.CLAIM, part, message
    for part, text in (("text", rendered.text), ("html", rendered.html)):
        if (size := len(text.encode("utf-8"))) > LARGEST_PART:
            yield FindingKind.SIZE, part, f"has {size:,} bytes; expected at most {LARGEST_PART:,}"
    subject = rendered.subject
    if not subject.strip() or not subject.isprintable():
        yield FindingKind.SUBJECT, "subject", "expected one line of words"
    elif len(subject) > LONGEST_SUBJECT:
        yield FindingKind.SUBJECT, "subject", f"has {len(subject)} characters; expected at most {LONGEST_SUBJECT}"


def _finding(kind: EmailKind, form: Form, what: FindingKind, where: str, message: str) -> Finding:
    name = "subject.txt" if where.endswith("subject") else ("body.mjml" if form is Form.NOTICE else "full.mjml")
    if where.endswith("text"):
        name = name.replace(".mjml", ".txt")
    return Finding(TEMPLATES / kind / name, 1, 1, what, where, message)
