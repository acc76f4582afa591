"""A scripted history: one person's request that is offered, opened by a provider and by the person, and looked at."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.reports.document import Report
from pipeline.reports.making import Making, begin_report
from pipeline.reports.period import Period, years_until
from tests.pipeline.secure_pages.links import BORN, PROVIDERS, Referred, referred

AUDITOR = actions.staff("auditor")
OPENED = f"provider:{PROVIDERS[0]}"
"""The one provider that opened its page, in `opened_by_one_provider`."""


def opened_by_one_provider(context: Context, times: int = 1) -> Referred:
    """Three providers were offered it; one looked at it so often, the person once, after one wrong second factor."""
    case = referred(context)
    session = case.provider_session(PROVIDERS[0])
    for _ in range(times - 1):
        case.open(case.provider_token(PROVIDERS[0]), session=session)
    person = case.token()
    case.open(person, "1900-01-01")
    case.unlocked(person, BORN)
    return case


def until_now() -> Period:
    """Six years, up to a moment that is still to come."""
    return years_until(utc_now() + dt.timedelta(minutes=1))


def begun(context: Context, name: str, submissions: Sequence[uuid.UUID] = (), period: Period | None = None) -> Making:
    """A report by `AUDITOR` that is on record."""
    return begin_report(context.database, context.keys, AUDITOR, name, period or until_now(), submissions=submissions)


def rows(report: Report, table: str | None = None) -> list[dict[str, Any]]:
    """A table's rows, by column."""
    found = report.table(table)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
