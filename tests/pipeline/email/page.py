"""Reading the HTML of an email as a mail program would."""

from html.parser import HTMLParser

_VOID = {"meta", "br", "img", "link", "hr", "input"}
_HEADINGS = {"h1", "h2", "h3", "h4"}
_BLOCKS = {"h1", "h2", "h3", "p", "li", "div", "td"}


class Page(HTMLParser):
    """What is visible, where links lead, what is said to a screen reader; AssertionError if tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.languages: list[str | None] = []
        self.directions: list[str | None] = []
        self.levels: list[str] = []
        self.table_roles: list[str | None] = []
        self.remote: list[str] = []
        self.items: list[str] = []
        self.open: list[str] = []
        self.title = self.preheader = self.text = ""
        self._hidden_at: int | None = None
        self.feed(html)
        self.close()

    @property
    def lines(self) -> list[str]:
        """The visible text, block by block."""
        return [" ".join(line.split()) for line in self.text.splitlines() if line.strip()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if "lang" in attributes:
            self.languages.append(attributes["lang"])
            self.directions.append(attributes.get("dir"))
        if tag == "a":
            self.links.append(attributes["href"] or "")
        if tag == "table":
            self.table_roles.append(attributes.get("role"))
        if tag in _HEADINGS:
            self.levels.append(tag)
        if tag == "li":
            self.items.append("")
        if tag == "br":
            self.text += "\n"
        self.remote += [str(attributes[name]) for name in ("src", "background") if attributes.get(name)]
        if tag == "link":
            self.remote.append(str(attributes.get("href")))
        if "display:none" in (attributes.get("style") or ""):
            self._hidden_at = len(self.open)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.open.pop() == tag
        if len(self.open) == self._hidden_at:
            self._hidden_at = None
        if tag in _BLOCKS:
            self.text += "\n"

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        if "title" in self.open:
            self.title += data
        elif self._hidden_at is not None:
            self.preheader += data
        else:
            self.text += data
            if "li" in self.open:
                self.items[-1] += data
