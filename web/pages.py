"""Renders the HTML pages: one Jinja environment per language, everything escaped, an unknown name is an error."""

from collections.abc import Mapping
from datetime import datetime

from babel.dates import format_date, format_time, get_timezone_name
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from config.screening import LANGUAGES
from config.settings import ROOT, Settings
from pipeline.translation import translations
from web.static_files import static_address

TEMPLATES = ROOT / "templates" / "web"
LANGUAGE_NAMES = {"en": "English", "es": "Español"}


class Pages:
    """The templates of `templates/web`, with what every page needs: names, language, addresses of static files."""

    def __init__(self, settings: Settings) -> None:
        self._environments = {language: _environment(language, settings) for language in LANGUAGES}

    def render(
        self,
        template: str,
        language: str,
        context: Mapping[str, object] | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """The page in `language` as a response."""
        page = self._environments[language].get_template(template).render(context or {})
        return HTMLResponse(page, status, {**(headers or {}), "Content-Language": language})


def choose_language(request: Request) -> str:
    """`?lang=` if given, else the first language we have that the browser asks for, else English."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for entry in request.headers.get("accept-language", "").split(","):
        spoken = entry.split(";")[0].strip()[:2].lower()
        if spoken in LANGUAGES:
            return spoken
    return LANGUAGES[0]


def _environment(language: str, settings: Settings) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations(language, "web"), newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        language=language,
        language_names=LANGUAGE_NAMES,
        organisation=settings.organisation_name,
        postal_address=settings.postal_address,
        contact_email=settings.contact_email,
        static=static_address,
    )
    environment.filters["day"] = lambda value: format_date(value, format="long", locale=language)
    environment.filters["moment"] = lambda value: _moment(value, language)
    return environment


def _moment(value: datetime, language: str) -> str:
    """Day, time and zone, in the zone the value comes in."""
    time = format_time(value, "short", tzinfo=value.tzinfo, locale=language)
    zone = get_timezone_name(value, "short", locale=language)
    return f"{format_date(value, 'long', locale=language)}, {time} {zone}"
