"""Careroute on this machine as `careroute up` runs it, over an empty folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from embedded.stack import EmbeddedStack
from tests.config.shipped import KEY, SECRET
from tests.end_to_end.running import free_port
from tests.journeys.mailbox import Mailbox

_ENVIRONMENT = {
    "CAREROUTE_SOURCE_NETWORK_SITE_KEY": KEY,
    "CAREROUTE_SOURCE_WEBFLOW_SITE_SECRET": SECRET,
    "CAREROUTE_MAIL_TRANSPORT": "mailbox",
}


@dataclass(frozen=True, slots=True)
class Careroute:
    """A running stack and its mailbox."""

    url: str
    mailbox: Mailbox

    def submit(self, answers: Mapping[str, Any]) -> str:
        """Send answers as a web site of the network does; returns the reference."""
        headers = {"Authorization": f"Bearer {KEY}"}
        address = f"{self.url}/v1/submissions"
        answer = httpx.post(address, json={"answers": answers}, headers=headers, timeout=60, trust_env=False)
        answer.raise_for_status()
        reference: str = answer.json()["reference"]
        return reference


@contextmanager
def running(folder: Path) -> Iterator[Careroute]:
    """Everything started, and stopped again after. Raises what `EmbeddedStack` raises."""
    with EmbeddedStack(folder, port=free_port(), environment=_ENVIRONMENT) as stack:
        yield Careroute(stack.url, Mailbox(folder / "mailbox", stack.check))
