"""Chromium, wherever this machine has it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for path in map(shutil.which, _NAMES) if path), None)
MISSING = f"needs a browser on PATH: {', '.join(_NAMES)}"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window, closed after. It talks to this machine only."""
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options, timeout=120_000)
        yield browser
        browser.close()
