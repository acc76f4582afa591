"""What a reader sees of an HTML page or email, and hears of it: text, alternative texts and labels."""

from html.parser import HTMLParser

_NOT_SHOWN = frozenset({"script", "style", "template"})
_INLINE = frozenset(
    {*("a", "abbr", "b", "bdi", "cite", "code", "em", "i", "mark", "q", "s", "small", "span"), "strong", "sub", "sup"}
)
_READ_OUT = frozenset({"alt", "title", "aria-label", "aria-description", "placeholder", "value", "content"})


class _Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _NOT_SHOWN
        self.parts += [f"\n{value}\n" for name, value in attrs if name in _READ_OUT and value]
        self._break_after(tag)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _NOT_SHOWN and self._hidden > 0
        self._break_after(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

    def _break_after(self, tag: str) -> None:
        if tag not in _INLINE:
            self.parts.append("\n")


def shown_text(html: str) -> str:
    """The text, one line per block; a word with tags in it stays one word."""
    parser = _Shown()
    parser.feed(html)
    parser.close()
    lines = (" ".join(line.split()) for line in "".join(parser.parts).splitlines())
    return "\n".join(line for line in lines if line)


def shows(text: str, paragraph: str) -> bool:
    """Whether a text has the paragraph in it, wherever its lines are broken."""
    return " ".join(paragraph.split()) in " ".join(text.split())
