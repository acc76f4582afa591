"""Program: the stand-in SendGrid of a chaos run, which outlives whatever dies.

    python -m tests.chaos.mail_provider FOLDER WEB_URL…

Into FOLDER it writes `mails.jsonl`, a line for each mail before anybody is told that it was accepted, and
`told.jsonl`, a line for each event that a web process has taken. Its events come late, in any order, in mixed batches,
some of them twice, to the web processes in turn. Its first line is its URL, its second the public key of its events.
"""

import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.sendgrid import EventManners, SendGridStandIn

MAILS, TOLD = "mails.jsonl", "told.jsonl"
_USUAL_SECONDS = 0.05
"""Until it answers, as such providers do: so there are calls under way whenever something dies."""
_MANNERS = EventManners(gather_seconds=0.25, settle_seconds=0.5, shuffle=True, repeat_share=0.1)
_LINK = re.compile(r"/s/([\w-]+)")
_CODE = re.compile(r"^\s*(\d{8})\s*$", re.MULTILINE)


def read_mail(body: Mapping[str, Any]) -> dict[str, str]:
    """What a provider's staff would look for in their mail: the link, the code."""
    text = next(part["value"] for part in body["content"] if part["type"] == "text/plain")
    found = {"link": _LINK.search(text), "code": _CODE.search(text)}
    return {name: match[1] for name, match in found.items() if match}


def main() -> None:
    """Serve until SIGTERM."""
    folder, urls = Path(sys.argv[1]), sys.argv[2:]
    stand_in = SendGridStandIn(
        log=folder / MAILS,
        events_log=folder / TOLD,
        delay_seconds=_USUAL_SECONDS,
        check_share=0.02,
        keep_bodies=False,
        manners=_MANNERS,
        reader=read_mail,
    )
    stand_in.tell_events_to(urls[0], *urls[1:])
    signal.signal(signal.SIGTERM, lambda *_: stand_in.stopping.set())
    with stand_in:
        sys.stdout.write(f"{stand_in.url}\n{stand_in.public_key}\n")
        sys.stdout.flush()
        stand_in.stopping.wait()


if __name__ == "__main__":
    main()
