import datetime as dt
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.reports import records
from pipeline.reports.period import SKEW, Period, years_until
from pipeline.reports.records import PAGE, within
from pipeline.unit_of_work import begin

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SOON = dt.datetime(2036, 3, 1, tzinfo=dt.UTC)
MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), SOON.replace(tzinfo=None), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(
    start=MOMENTS,
    seconds=st.floats(0.001, 1e8),
    place=st.floats(-0.5, 1.5),
    late=st.floats(-3600, 3600),
    rest=st.integers(0, 2**62 - 1),
)
def test_an_id_made_up_to_an_hour_off_is_in_the_range_of_its_period(
    start: dt.datetime, seconds: float, place: float, late: float, rest: int
) -> None:
    period = Period(start, start + dt.timedelta(seconds=seconds))
    occurred = start + place * (period.end - start)
    written = occurred + dt.timedelta(seconds=late)
    milliseconds = (written - EPOCH) // dt.timedelta(milliseconds=1)
    made = uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | rest)  # RFC 9562, section 5.7
    if period.holds(occurred):
        assert period.first_id <= made < period.end_id
    if not period.start - SKEW - dt.timedelta(seconds=1) <= written <= period.end + SKEW + dt.timedelta(seconds=1):
        assert not period.first_id <= made < period.end_id


def test_six_years_before_a_leap_day_begin_on_the_28th() -> None:
    assert years_until(dt.datetime(2028, 2, 29, tzinfo=dt.UTC)).start == dt.datetime(2022, 2, 28, tzinfo=dt.UTC)


def test_a_period_that_ends_before_it_begins_is_none() -> None:
    with pytest.raises(ValueError, match="begins"):
        Period(SOON, SOON)


def test_a_period_is_read_page_by_page_by_the_primary_key(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PAGE", 7)
    pages: list[int] = []
    read = records._page

    def watched(*arguments: Any) -> Any:
        found = read(*arguments)
        pages.append(len(found))
        return found

    monkeypatch.setattr(records, "_page", watched)
    written = []
    for number in range(25):
        with begin(context.database, context.keys, actions.staff("ana")) as unit:
            unit.now += dt.timedelta(minutes=number - 12)
            unit.record(None, Action.SUPPRESSION_LOOKED_UP, {Detail.SUBMISSIONS: number})
            written.append((unit.now, number))
    period = Period(written[5][0], written[20][0])
    with context.database.snapshot() as connection:
        found = [
            (record.at, record.details["submissions"])
            for record in within(connection, period, records.actions(Action.SUPPRESSION_LOOKED_UP))
        ]
        plan = _plan(context, period)
    assert found == written[5:20]
    assert max(pages) == 7 < PAGE
    assert "SCAN audit_event" not in plan
    assert "Seq Scan" not in plan


def _plan(context: Context, period: Period) -> str:
    wanted = f"SELECT id FROM audit_event WHERE id > '{{0}}' AND id < '{{1}}' ORDER BY id LIMIT {PAGE}"
    with context.database.write() as connection:
        if context.database.is_sqlite:
            explain, ids = "EXPLAIN QUERY PLAN ", (period.first_id.hex, period.end_id.hex)
        else:
            connection.execute(text("SET LOCAL enable_seqscan = off"))  # which it would rather do on so few rows
            explain, ids = "EXPLAIN ", (str(period.first_id), str(period.end_id))
        return "\n".join(str(row) for row in connection.exec_driver_sql(explain + wanted.format(*ids)))
