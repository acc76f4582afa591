"""Small networks in place of the shipped one."""

from collections.abc import Mapping
from typing import Any

from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.providers import publish
from pipeline.unit_of_work import begin
from tests.pipeline.scoring.network_files import program, provider

TAKES_EVERYONE = {"question": "severity", "at_least": 0}
MIDDAY = f"Etc/GMT{utc_now().hour - 12:+}"
"""A time zone in which no new day begins while the tests run."""


def fitting(
    provider_id: str, preference: int = 1, require: Mapping[str, Any] = TAKES_EVERYONE, **other: Any
) -> ProviderDocument:
    """A provider that fits everyone with an answer to `severity`; its score falls as `preference` grows."""
    prefer = [
        {"weight": 1, "question": "severity", "at_least": 0},
        {"weight": preference, "question": "severity", "at_least": 10, "at_most": 10},
    ]
    usual = {"capacity": {"max_open": 50, "max_per_day": 50}, "time_zone": MIDDAY}
    return provider(program([dict(require)], prefer), **{"id": provider_id, "name": provider_id, **usual, **other})


def put_in_force(context: Context, *documents: ProviderDocument) -> None:
    """Make `documents` the whole network."""
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        publish(unit, documents)
