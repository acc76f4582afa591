"""From a context to subject, text and HTML. MJML is compiled once per process; sending runs Jinja only.

Each kind is a folder `templates/email/<kind>/` with `subject.txt`, `body.txt` (written, not stripped from the HTML) and
`body.mjml`, over parts in `_base/`; a kind with a full form also has `full.txt` and `full.mjml`. A subject knows the
reference and nothing else; protected values refuse to be rendered (`DisclosureRefused`). Message ids
are the English texts; `{% trans %}` looks them up in the catalogue.
"""

from dataclasses import dataclass, fields
from datetime import date
from functools import cache, lru_cache

from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from config.screening import LANGUAGES
from pipeline.email.compiling import TEMPLATES, compiled, whole_text
from pipeline.email.contexts import CONTEXTS, EmailContext
from pipeline.email.kinds import RULES, EmailKind, Form
from pipeline.email.trans import TranslatedWhenCompiled
from pipeline.translation import translations

_BODY = {Form.NOTICE: "body", Form.FULL: "full"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The three parts of one email, in one language."""

    language: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Templates:
    subject: Template
    text: Template
    html: Template
    fields: tuple[str, ...]
    """What the kind's context has."""


def render(kind: EmailKind, language: str, context: EmailContext, form: Form = Form.NOTICE) -> Rendered:
    """Render one email.

    Raises TypeError if the context belongs to another kind, KeyError for an unknown language, jinja2.UndefinedError if
    a template names what its context does not have, and DisclosureRefused if it uses a value that is still protected.
    """
    if type(context) is not CONTEXTS[kind]:
        raise TypeError(f"{kind} is rendered from {CONTEXTS[kind].__name__}, not from {type(context).__name__}")
    templates = _templates(kind, language, form)
    subject = templates.subject.render(reference=context.reference, language=language)
    values: dict[str, object] = {name: getattr(context, name) for name in templates.fields}
    values["language"] = language
    values["subject"] = subject
    text = templates.text.render(values)
    values["reference"] = _unbroken(context.reference)
    return Rendered(language, subject, text, templates.html.render(values))


def warm_up() -> None:
    """Compile every kind in every language, so that the first emails of a process are as fast as the rest."""
    for kind in EmailKind:
        for form in forms(kind):
            for language in LANGUAGES:
                _templates(kind, language, form)


def forms(kind: EmailKind) -> tuple[Form, ...]:
    """The forms that a kind has templates for."""
    return (Form.NOTICE,) if RULES[kind].full_form_holds is None else (Form.NOTICE, Form.FULL)


@cache
def _templates(kind: EmailKind, language: str, form: Form) -> _Templates:
    if language not in LANGUAGES:
        raise KeyError(f"no emails in language {language!r}")
    plain, html = _environment(language, autoescape=False), _environment(language, autoescape=True)
    templates = _Templates(
        subject=plain.get_template(f"{kind}/subject.txt"),
        text=plain.from_string(whole_text(f"{kind}/{_BODY[form]}.txt")),
        html=html.from_string(_compiled(kind, form)),
        fields=tuple(field.name for field in fields(CONTEXTS[kind])),
    )
    for template in (templates.subject, templates.text, templates.html):
        template.globals = {}  # none is used, and Jinja copies them for each email, longer than it renders
    return templates


def _unbroken(reference: str) -> Markup:
    return Markup('<span style="white-space:nowrap">') + escape(reference) + Markup("</span>")


@cache
def _environment(language: str, *, autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,  # noqa: S701 - off for subjects and plain text only
        undefined=StrictUndefined,
        extensions=[TranslatedWhenCompiled],
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(translations(language))  # type: ignore[attr-defined]
    environment.filters["long_date"] = lambda day: _long_date(day, language)
    return environment


@cache
def _compiled(kind: EmailKind, form: Form) -> str:
    """Once for all languages."""
    return compiled(f"{kind}/{_BODY[form]}.mjml")


@lru_cache(maxsize=256)
def _long_date(day: date, language: str) -> str:
    return format_date(day, format="long", locale=language)
