"""From the files of a kind to one template per part, once per process: parts and base are put in as text beforehand.

MJML becomes HTML. Its compiler knows nothing of Jinja: tags pass through as text. It moves loose text out of tables, so
control tags may stand between components and between the rows of an `<mj-table>` inside `<mj-raw>`, and inside one
`<mj-text>` bare.
"""

import re
from pathlib import Path

import mrml

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates" / "email"

_INCLUDE = re.compile(r'<mj-include path="([^"]+)" />')
_EXTENDS = re.compile(r'\{% extends "([^"]+)" %\}\s*\{% block body -?%\}\s*(.*?)\s*\{%-? endblock %\}\s*', re.DOTALL)
_SLOT = "{% block body %}{% endblock %}"
_TEXT_PART = re.compile(r'\{% include "([^"]+)" %\}')
_STYLE_SHEET = re.compile(r"(<style[^>]*>)(.*?)(</style>)", re.DOTALL)
_FOR_OLD_BROWSERS = re.compile(r"<!--\[if !mso\]><!--><meta http-equiv[^>]*><!--<!\[endif\]--><meta http-equiv[^>]*>")
_BARE = {
    "h1": "margin:0;font-size:26px;line-height:32px;font-weight:700",
    "h2": "margin:24px 0 6px;font-size:20px;line-height:28px;font-weight:700",
    "h3": "margin:14px 0 4px;font-size:17px;line-height:26px;font-weight:700",
    "p": "margin:0 0 14px",
    "ul": "margin:0 0 14px;padding:0 0 0 22px",
    "li": "margin:0 0 6px",
}
"""What these elements look like where parts write them bare, in the element itself: some programs drop style sheets."""
_TAP_TARGET = "display:inline-block;padding:10px 0;color:#0b5c6b"
"""44 px high with its line of 24 px: easy to hit with a thumb."""


def whole_text(source: str) -> str:
    """The template of a plain-text part, in one piece: Jinja takes longer to put parts together than to fill them in.

    Raises ValueError if it does not extend a base by a block named body.
    """
    found = _EXTENDS.fullmatch(_read(source))
    base = _read(found[1]) if found else ""
    if found is None or _SLOT not in base:
        raise ValueError(f"{source}: must extend a text of _base and fill in its block body")
    whole = base.replace(_SLOT, found[2])
    return _TEXT_PART.sub(lambda part: _read(part[1]).rstrip("\n"), whole)


def compiled(source: str) -> str:
    """The HTML template of a kind's MJML file. No web fonts: opening an email must not call anyone.

    Raises ValueError if the compiler warns, OSError if it cannot read the source.
    """
    options = mrml.RenderOptions(disable_comments=True, fonts={})
    output = mrml.to_html(_with_parts(_read(source)), render_options=options)
    if output.warnings:
        raise ValueError(f"{source}: " + ", ".join(warning.kind for warning in output.warnings))
    return _lean(_styled(output.content))


def _with_parts(source: str) -> str:
    """MJML with its parts put in as text: mrml renders an included body part outside its column."""
    return _INCLUDE.sub(lambda found: _read(found[1]), source)


def _read(path: str) -> str:
    return (TEMPLATES / path).read_text(encoding="utf-8")


def _styled(html: str) -> str:
    for element, style in _BARE.items():
        html = html.replace(f"<{element}>", f'<{element} style="{style}">')
    html = html.replace('<a class="tap"', f'<a style="{_TAP_TARGET}"')
    html = html.replace('<div style="display:none;', '<div style="display:none;mso-hide:all;')
    return re.sub(r'<a (href="[^"]*")>', r'<a \1 style="color:#0b5c6b">', html)


def _lean(html: str) -> str:
    """Without what no reader sees; a style sheet never starts a Jinja tag."""
    html = _FOR_OLD_BROWSERS.sub('<meta charset="utf-8">', html)
    html = _STYLE_SHEET.sub(lambda found: found[1] + _lean_css(found[2]) + found[3], html)
    html = re.sub(r"\s+", " ", html)
    return re.sub(r"> (?=<(?:/?(?:ul|li|p|div|table|tbody|tr|td|h\d)\b|!))", ">", html)


def _lean_css(css: str) -> str:
    lean = re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r"\s+", " ", css)).replace(": ", ":").replace(";}", "}").strip()
    if re.search(r"\{[{%#]", lean):
        raise ValueError("a style sheet reads like a Jinja tag: write its rules apart")
    return lean
