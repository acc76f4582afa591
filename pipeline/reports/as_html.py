"""A report as one HTML file that prints: nothing in it is loaded from elsewhere."""

from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from config.settings import ROOT
from pipeline.reports.document import Report, in_words


def as_html(report: Report, organisation: str) -> bytes:
    return _template().render(report=report, organisation=organisation).encode("utf-8", "xmlcharrefreplace")


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates" / "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = in_words
    return environment.get_template("report.html")
