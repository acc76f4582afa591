"""One stack and one browser for all journeys; each visitor has a profile and an address of its own."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys import browser
from tests.journeys.installation import Careroute, running
from tests.journeys.visitor import PHONE, Visitor


@pytest.fixture(scope="package")
def careroute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Careroute]:
    if browser.CHROMIUM is None:
        pytest.skip(browser.MISSING)
    with running(tmp_path_factory.mktemp("careroute")) as careroute:
        yield careroute


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Not for the session: one thread can have one Playwright at a time, and other packages have theirs."""
    if browser.CHROMIUM is None:
        pytest.skip(browser.MISSING)
    with browser.chromium() as found:
        yield found


@pytest.fixture
def visit(careroute: Careroute, chromium: Browser) -> Iterator[Callable[..., Visitor]]:
    """Somebody comes along; at the end every page that was reached must have been checked."""
    visitors: list[Visitor] = []

    def come(*, width: int = PHONE, scripts: bool = True, language: str = "en") -> Visitor:
        visitors.append(Visitor(chromium, careroute.url, width=width, scripts=scripts, language=language))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.leave()
