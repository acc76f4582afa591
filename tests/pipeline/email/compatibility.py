"""What our HTML uses, and how the four great families of mail programs take it.

Judged by hand from the feature pages of caniemail (caniemail.com, read in November 2026); `source` names the page. A
family is judged by its weakest program that is still in use: Gmail with its apps, also for accounts of others; Outlook
with the one on Windows; Yahoo with its apps. Whatever is not "yes" everywhere says what the reader gets instead.
"""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["yes", "partly", "no"]


@dataclass(frozen=True, slots=True)
class Support:
    source: str
    gmail: Verdict = "yes"
    outlook: Verdict = "yes"
    apple: Verdict = "yes"
    yahoo: Verdict = "yes"
    instead: str = ""

    @property
    def everywhere(self) -> bool:
        return {self.gmail, self.outlook, self.apple, self.yahoo} == {"yes"}


_HTML_4 = Support("no page: part of HTML since 1997")
_FOR_OUTLOOK = Support(
    "no page: Microsoft's own", gmail="no", apple="no", yahoo="no", instead="It corrects Outlook on Windows alone."
)
_NO_STYLE_SHEETS = (
    "Colours, sizes and widths are in the elements too; a style sheet adds the dark scheme and narrower margins."
)
_SELECTOR = {"gmail": "partly", "yahoo": "partly", "instead": _NO_STYLE_SHEETS}

PROPERTIES: dict[str, Support] = {
    "background": Support(
        "css-background", outlook="partly", yahoo="partly", instead="Colours are all that we set by it."
    ),
    "background-color": Support("css-background-color"),
    "border": Support("css-border", outlook="partly", instead="We only set none by it."),
    "border-collapse": Support("css-border-collapse"),
    "border-radius": Support("css-border-radius", outlook="no", yahoo="partly", instead="Corners are square."),
    "border-top": Support(
        "css-border", outlook="partly", instead="Outlook on Windows gets a table with the same line."
    ),
    "border-top-color": Support(
        "css-border", outlook="partly", instead="Only in the dark scheme, which it does not have."
    ),
    "color": Support("no page: supported wherever there are styles"),
    "color-scheme": Support(
        "css-color-scheme",
        gmail="no",
        outlook="no",
        yahoo="no",
        instead="The program decides by itself how it is dark.",
    ),
    "cursor": Support(
        "css-cursor", gmail="no", outlook="no", apple="partly", yahoo="partly", instead="A link has its own."
    ),
    "direction": Support("css-direction", gmail="partly", instead="Both languages run from left to right."),
    "display": Support(
        "css-display",
        gmail="partly",
        outlook="partly",
        yahoo="partly",
        instead="Tables hold the columns together; a preheader that is not hidden is one white pixel.",
    ),
    "font-family": Support("css-font"),
    "font-size": Support("css-font-size", outlook="partly", yahoo="partly", instead="Sizes are in px, which all know."),
    "font-weight": Support(
        "css-font-weight", outlook="partly", yahoo="partly", instead="600 and 700 are bold everywhere."
    ),
    "height": Support("css-height", outlook="partly", yahoo="no", instead="It is for images, and there are none."),
    "letter-spacing": Support("css-letter-spacing", outlook="partly", instead="The code is read without it as well."),
    "line-height": Support("css-line-height", outlook="partly", instead="Lines are a little closer or wider."),
    "margin": Support(
        "css-margin", gmail="partly", outlook="partly", instead="We use no negative values; auto is for centring."
    ),
    "max-height": Support(
        "css-max-height", outlook="no", instead="The preheader is hidden by mso-hide and display there."
    ),
    "max-width": Support("css-max-width", outlook="no", instead="Outlook on Windows gets a table of 600 px around it."),
    "opacity": Support(
        "css-opacity", gmail="partly", outlook="no", yahoo="no", instead="Only hides what is hidden anyway."
    ),
    "outline": Support("css-outline", outlook="no", instead="It is for images, and there are none."),
    "overflow": Support("css-overflow", outlook="no", yahoo="partly", instead="Corners of the card may be square."),
    "padding": Support("css-padding", outlook="partly", instead="It stands in table cells where the layout needs it."),
    "padding-left": Support("css-padding", outlook="partly", instead="Only for narrow screens."),
    "padding-right": Support("css-padding", outlook="partly", instead="Only for narrow screens."),
    "supported-color-schemes": Support(
        "css-color-scheme",
        gmail="no",
        outlook="no",
        yahoo="no",
        instead="The older name of color-scheme, for Apple Mail.",
    ),
    "text-align": Support(
        "css-text-align", gmail="partly", outlook="partly", yahoo="partly", instead="Left and center are known to all."
    ),
    "text-decoration": Support(
        "css-text-decoration", gmail="partly", outlook="partly", instead="A button may have its words underlined."
    ),
    "text-transform": Support("css-text-transform", outlook="partly", instead="We only set none by it."),
    "vertical-align": Support("css-vertical-align"),
    "white-space": Support(
        "css-white-space", gmail="partly", outlook="no", yahoo="partly", instead="A reference may break at its hyphens."
    ),
    "width": Support("css-width", outlook="partly", instead="Widths that matter are on tables."),
    "word-break": Support(
        "css-word-break",
        gmail="partly",
        outlook="partly",
        apple="partly",
        yahoo="no",
        instead="Programs break long addresses.",
    ),
    "word-spacing": Support("css-word-spacing", outlook="no", yahoo="partly", instead="We only set normal by it."),
    "mso-hide": _FOR_OUTLOOK,
    "mso-padding-alt": _FOR_OUTLOOK,
    "mso-table-lspace": _FOR_OUTLOOK,
    "mso-table-rspace": _FOR_OUTLOOK,
    "-ms-interpolation-mode": _FOR_OUTLOOK,
    "-ms-text-size-adjust": _FOR_OUTLOOK,
    "-webkit-text-size-adjust": Support(
        "no page: WebKit's own",
        gmail="no",
        outlook="no",
        yahoo="no",
        instead="It keeps Apple Mail from changing text sizes.",
    ),
}

STYLE_SHEET: dict[str, Support] = {
    "@media screen": Support(
        "css-at-media", gmail="partly", outlook="partly", yahoo="partly", instead=_NO_STYLE_SHEETS
    ),
    "@media width": Support(
        "css-at-media", gmail="partly", outlook="partly", yahoo="partly", instead="Margins stay wide."
    ),
    "@media prefers-color-scheme": Support(
        "css-at-media-prefers-color-scheme",
        gmail="no",
        outlook="partly",
        yahoo="no",
        instead="The light colours; their contrast survives being inverted by the program.",
    ),
    "!important": Support(
        "css-important",
        gmail="partly",
        outlook="partly",
        yahoo="partly",
        instead="Lower case, with a space before, in style sheets.",
    ),
    "type": Support("css-selector-type", **_SELECTOR),  # type: ignore[arg-type]
    "class": Support("css-selector-class", **_SELECTOR),  # type: ignore[arg-type]
    "id": Support("css-selector-id", **_SELECTOR),  # type: ignore[arg-type]
    "descendant": Support("css-selector-descendant", **_SELECTOR),  # type: ignore[arg-type]
    "child": Support("css-selector-child", outlook="partly", **_SELECTOR),  # type: ignore[arg-type]
    "attribute": Support(
        "css-selector-attribute",
        gmail="partly",
        outlook="partly",
        yahoo="partly",
        instead="Only Outlook.com and its apps set the attributes that we look for, and there it works.",
    ),
    ":root": Support(
        "no page: as color-scheme",
        gmail="no",
        outlook="no",
        yahoo="no",
        instead="It only holds color-scheme, for Apple Mail.",
    ),
}

ELEMENTS: dict[str, Support] = {
    **dict.fromkeys(("html", "head", "title", "meta", "a", "br"), _HTML_4),
    **dict.fromkeys(("table", "tbody", "tr", "td"), Support("html-table")),
    **dict.fromkeys(("h1", "h2", "h3"), Support("html-h1-h6")),
    **dict.fromkeys(
        ("ul", "li"),
        Support(
            "html-lists", gmail="partly", outlook="partly", yahoo="partly", instead="Only ordered lists have limits."
        ),
    ),
    "body": Support(
        "html-body",
        gmail="partly",
        outlook="partly",
        yahoo="partly",
        instead="The first div has language and ground too.",
    ),
    "div": Support("html-div"),
    "p": Support("html-p"),
    "span": Support("html-span"),
    "style": Support("html-style", gmail="partly", outlook="partly", yahoo="partly", instead=_NO_STYLE_SHEETS),
}

_META = Support(
    "html-meta-color-scheme",
    gmail="no",
    outlook="no",
    apple="partly",
    yahoo="no",
    instead="As the property color-scheme.",
)
ATTRIBUTES: dict[str, Support] = {
    **dict.fromkeys(("style", "class", "href", "type", "border", "bgcolor", "xmlns", "charset", "name"), _HTML_4),
    **dict.fromkeys(("cellpadding", "cellspacing"), Support("html-cellpadding")),
    **dict.fromkeys(("xmlns:v", "xmlns:o"), _FOR_OUTLOOK),
    "content": _META,
    "media": Support("css-at-media", gmail="partly", outlook="partly", yahoo="partly", instead=_NO_STYLE_SHEETS),
    "lang": Support("html-lang", yahoo="partly", instead="Not on cells; ours is on html and on the first div."),
    "dir": Support("html-dir", gmail="partly", outlook="partly", instead="Both languages run from left to right."),
    "role": Support("html-role", yahoo="no", instead="A layout table is told by its having one cell in a row."),
    "aria-label": Support(
        "html-aria-label", outlook="partly", yahoo="no", instead="The subject stands over the email."
    ),
    "aria-roledescription": Support(
        "no page: as aria-label", outlook="partly", yahoo="no", instead="It is then called an article, or nothing."
    ),
    "align": Support("html-align", outlook="partly", instead="Left and right of tables only; we use center."),
    "valign": Support("html-valign"),
    "vertical-align": Support(
        "no page: written by the MJML compiler",
        gmail="no",
        outlook="no",
        apple="no",
        yahoo="no",
        instead="Means nothing.",
    ),
    "width": Support("html-width", outlook="partly", instead="Only images are scaled wrongly, and there are none."),
    "target": Support(
        "html-target",
        gmail="no",
        outlook="partly",
        apple="partly",
        yahoo="no",
        instead="Links open in a new window anyway.",
    ),
}
