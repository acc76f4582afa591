"""Reads a page as a browser would: which fields a form would send, and the text beside them."""

from html.parser import HTMLParser


class FormReader(HTMLParser):
    """Collects the successful controls of all forms on a page, and every id with its element's attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self.elements: dict[str, dict[str, str]] = {}
        self.texts: dict[str, str] = {}
        self.links: list[str] = []
        self._select: str | None = None
        self._open_ids: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.elements[found["id"]] = found | {"tag": tag}
            if tag == "p":
                self._open_ids.append((tag, found["id"]))
        match tag:
            case "a":
                self.links.append(found.get("href", ""))
            case "select":
                self._select = found["name"]
            case "option" if self._select and "selected" in found:
                self._send(self._select, found["value"])
            case "input" if found.get("type") in {"radio", "checkbox"}:
                if "checked" in found:
                    self._send(found["name"], found["value"])
            case "input":
                self._send(found["name"], found.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        if self._open_ids and self._open_ids[-1][0] == tag:
            self._open_ids.pop()

    def handle_data(self, data: str) -> None:
        for _, identifier in self._open_ids:
            self.texts[identifier] = self.texts.get(identifier, "") + data

    def _send(self, name: str, value: str) -> None:
        if value:
            self.fields.setdefault(name, []).append(value)
