"""From a context to subject, text and HTML. MJML is compiled once per process; sending runs Jinja only.

Each kind is a folder `templates/email/<kind>/` with `subject.txt`, `body.txt` (written, not stripped from the HTML) and
`body.mjml`, over parts in `_base/`. Message ids are the English texts; `{% trans %}` looks them up in the catalogue.

Where control tags may stand in MJML, since the compiler knows nothing of Jinja and moves loose text out of tables:
between components and between the rows of an `<mj-table>` inside `<mj-raw>`; inside one `<mj-text>` bare.
"""

import re
from dataclasses import dataclass, fields
from datetime import date
from functools import cache, lru_cache
from pathlib import Path

import mrml
from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from config.screening import LANGUAGES
from pipeline.email.contexts import CONTEXTS, EmailContext
from pipeline.email.kinds import EmailKind
from pipeline.email.trans import TranslatedWhenCompiled
from pipeline.translation import translations

_INCLUDE = re.compile(r'<mj-include path="([^"]+)" />')
TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates" / "email"


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


def render(kind: EmailKind, language: str, context: EmailContext) -> Rendered:
    """Render one email.

    Raises TypeError if the context belongs to another kind, KeyError for an unknown language, and
    jinja2.UndefinedError if a template names what its context does not have.
    """
    if type(context) is not CONTEXTS[kind]:
        raise TypeError(f"{kind} is rendered from {CONTEXTS[kind].__name__}, not from {type(context).__name__}")
    templates = _templates(kind, language)
    values: dict[str, object] = {name: getattr(context, name) for name in _field_names(kind)}
    values["language"] = language
    subject = templates.subject.render(values)
    values["subject"] = subject
    return Rendered(language, subject, templates.text.render(values), templates.html.render(values))


def warm_up() -> None:
    """Compile every kind in every language, so that the first emails of a process are as fast as the rest."""
    for kind in EmailKind:
        for language in LANGUAGES:
            _templates(kind, language)


@cache
def _templates(kind: EmailKind, language: str) -> _Templates:
    if language not in LANGUAGES:
        raise KeyError(f"no emails in language {language!r}")
    plain, html = _environment(language, autoescape=False), _environment(language, autoescape=True)
    return _Templates(
        subject=plain.get_template(f"{kind}/subject.txt"),
        text=plain.get_template(f"{kind}/body.txt"),
        html=html.from_string(_compiled(kind)),
    )


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
def _compiled(kind: EmailKind) -> str:
    """The kind's MJML as an HTML template. No web fonts: opening an email must not call anyone."""
    output = mrml.to_html(_with_parts(kind), render_options=mrml.RenderOptions(disable_comments=True, fonts={}))
    if output.warnings:
        raise ValueError(f"{kind}/body.mjml: " + ", ".join(warning.kind for warning in output.warnings))
    return output.content


def _with_parts(kind: EmailKind) -> str:
    """The kind's MJML with its parts put in as text: mrml renders an included body part outside its column."""
    source = (TEMPLATES / kind / "body.mjml").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: (TEMPLATES / found[1]).read_text(encoding="utf-8"), source)


@cache
def _field_names(kind: EmailKind) -> tuple[str, ...]:
    return tuple(field.name for field in fields(CONTEXTS[kind]))


@lru_cache(maxsize=256)
def _long_date(day: date, language: str) -> str:
    return format_date(day, format="long", locale=language)
