"""New links over the real core."""

from collections.abc import Callable

from pipeline.context import Context
from pipeline.secure_pages.new_link import read_address, send_new_link
from web.outage import unless_unavailable
from web.status_link import LinkRequest


class DatabaseNewLinks:
    """Implements `web.status_link.NewLinks`. `wake` is told the lanes that got work; it never fails."""

    def __init__(self, context: Context, wake: Callable[[str], None]) -> None:
        self._context = context
        self._wake = wake

    def send(self, asked: LinkRequest, request_id: str) -> bool:
        address = read_address(self._context, asked.address)
        if address is None:
            return False
        unless_unavailable(
            lambda: send_new_link(self._context, address, asked.reference, asked.language, request_id, self._wake)
        )
        return True
