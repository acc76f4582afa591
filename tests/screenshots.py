"""Takes the pictures of pages and emails for the documentation: `make screenshots`.

A real stack over an empty folder, fictional people, and each page as it is on a phone and on a desktop, side by side.
"""

import base64
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser

from config.settings import PREFIX, ROOT
from pipeline.email.kinds import EmailKind, Form
from pipeline.email.message import Sender
from pipeline.email.preview import in_scheme, previews
from tests.journeys import browser
from tests.journeys.installation import Careroute, running
from tests.journeys.people import english
from tests.journeys.steps import INVITATION, READY, ask_for_code, open_referral, open_results
from tests.journeys.visitor import DESKTOP, PHONE, Visitor

FOLDER = ROOT / "docs" / "images"
_SCALE = 1.5
_HEIGHTS = {PHONE: 812, DESKTOP: 860}
_SHOWN_HEIGHT = 580
_SIDE_BY_SIDE = """<!DOCTYPE html>
<html lang="en">
  <style>
    body {{ margin: 0; display: inline-flex; gap: 28px; padding: 28px; background: #dfe5e2; }}
    img {{ display: block; height: {height}px; border-radius: 10px; box-shadow: 0 6px 24px #0003; }}
    .phone {{ border-radius: 22px; outline: 7px solid #1e2b2c; outline-offset: -1px; }}
  </style>
  <body>{pictures}</body>
</html>"""

_EMAILS = {
    EmailKind.RECOMMENDATION: False,
    EmailKind.NO_MATCH: True,
    EmailKind.REFERRAL_REMINDER: False,
}
"""Which emails are in the picture of emails, and whether dark."""

Open = Callable[[Visitor], None]


def main() -> None:
    """Take the pictures into `docs/images`, or the folder that is named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    if browser.CHROMIUM is None:
        sys.exit(f"Taking pictures {browser.MISSING}.")
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]  # no setting of this machine shall be in the pictures
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        running(Path(data)) as careroute,
        browser.chromium() as chromium,
    ):
        for name, open_page in _pages(careroute).items():
            pictures = [_picture(chromium, careroute.url, width, open_page) for width in (DESKTOP, PHONE)]
            path = folder / f"{name}.png"
            path.write_bytes(_side_by_side(chromium, pictures))
            _tell(path)
        path = folder / "emails.png"
        path.write_bytes(_side_by_side(chromium, _emails(chromium), phones=len(_EMAILS), scale=1))
        _tell(path)


def _tell(path: Path) -> None:
    sys.stdout.write(f"{path} ({path.stat().st_size // 1000} kB)\n")


def _pages(careroute: Careroute) -> dict[str, Open]:
    """What to take a picture of, and how one gets there."""
    person = english("Ana", "Example", date_of_birth="1975-03-28")
    reference = careroute.submit(person)
    results = careroute.mailbox.wait_for(READY, reference)[0]
    referral = careroute.mailbox.wait_for(INVITATION, reference)[0]
    codes = iter(range(1, len(_HEIGHTS) + 1))

    def form(visitor: Visitor) -> None:
        visitor.open("/screening", "Find providers whose published criteria fit your answers")

    def open_as_provider(visitor: Visitor) -> None:
        open_referral(visitor, ask_for_code(visitor, careroute, referral, reference, number=next(codes)))

    return {
        "form": form,
        "recommendations": lambda visitor: open_results(visitor, results, person["date_of_birth"]),
        "referral": open_as_provider,
    }


def _picture(chromium: Browser, url: str, width: int, open_page: Open) -> bytes:
    visitor = Visitor(chromium, url, width=width, scale=2)
    open_page(visitor)
    visitor.page.set_viewport_size({"width": width, "height": _HEIGHTS[width]})
    picture = visitor.page.screenshot(animations="disabled")
    visitor.leave()
    return picture


def _emails(chromium: Browser) -> list[bytes]:
    """Emails as they are on a phone."""
    by_kind = {
        email.kind: email.message.html
        for email in reversed(list(previews(Sender("care@careroute.example", "Careroute"))))
        if email.form is Form.NOTICE and email.message.language == "en"
    }
    page = chromium.new_page(viewport={"width": PHONE, "height": _SHOWN_HEIGHT})
    pictures = []
    for kind, dark in _EMAILS.items():
        page.set_content(in_scheme(by_kind[kind], dark=dark))
        pictures.append(page.screenshot())
    page.close()
    return pictures


def _side_by_side(chromium: Browser, pictures: list[bytes], phones: int = 1, scale: float = _SCALE) -> bytes:
    page = chromium.new_page(device_scale_factor=scale, viewport={"width": 1400, "height": 800})
    sources = [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in pictures]
    kinds = ["phone" if number >= len(pictures) - phones else "" for number in range(len(pictures))]
    images = "".join(f'<img src="{source}" class="{kind}" alt="">' for source, kind in zip(sources, kinds, strict=True))
    page.set_content(_SIDE_BY_SIDE.format(height=_SHOWN_HEIGHT, pictures=images))
    composed = page.locator("body").screenshot()
    page.close()
    return composed


if __name__ == "__main__":
    main()
