import datetime as dt
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from pipeline.audit import actions
from pipeline.audit.actions import Action, Actor, ActorKind, Detail
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.models import ActivityReview, AuditEvent, Submission
from pipeline.reports import activity
from pipeline.reports.document import Report
from pipeline.reports.period import Period
from pipeline.reports.sign_off import Finding, FollowUp, NotOver, gaps, read_sign_offs, sign_off
from pipeline.unit_of_work import begin
from tests.pipeline.reports.history import AUDITOR, begun, opened_by_one_provider, rows, until_now
from tests.support.work import table

DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def reviewed(context: Context, period: Period | None = None) -> Report:
    making = begun(context, activity.NAME, period=period)
    with context.database.snapshot() as connection:
        return activity.report(connection, making)


def test_all_that_was_done_is_counted_and_what_matters_listed(context: Context) -> None:
    case = opened_by_one_provider(context)
    link = str(uuid7())
    holder = Actor(ActorKind.LINK, link)
    with begin(context.database, context.keys, actions.staff("ana")) as unit:
        unit.record(None, Action.LANE_PAUSED, {Detail.LANE: "email"}, reason="moving house")
        unit.record(case.submission_id, Action.HOLD_PLACED, {Detail.MATTER: "case-1"})
        for _ in range(7):
            unit.record(None, Action.PAGE_UNLOCK_FAILED, {Detail.LINK: link}, actor=holder)
        unit.record(None, Action.JOB_DIED, {Detail.LANE: "score"}, actor=actions.lane("score"))
        unit.record(None, Action.PAGE_OPENED, {Detail.LINK: link}, actor=holder)
    report = reviewed(context)
    events = table(context.database, AuditEvent.table())
    assert report.summary["records"] == len(events) == sum(line["count"] for line in rows(report))
    counted = {(line["actor_kind"], line["action"]): line["count"] for line in rows(report)}
    assert counted["staff", "lane:paused"] == 1
    assert counted["provider", "facts:disclosed"] == counted["person", "facts:disclosed"] == 1

    pause = next(line for line in rows(report, "staff") if line["action"] == "lane:paused")
    assert (pause["actor"], pause["reason"], pause["details"]) == ("staff:ana", "moving house", "lane: email")
    assert {line["action"] for line in rows(report, "staff")} >= {"report:made", "providers:imported"}
    (submission,) = table(context.database, Submission.table())
    held = next(line for line in rows(report, "staff") if line["action"] == "hold:placed")
    assert held["reference"] == submission.reference
    assert [line["reference"] for line in rows(report, "unlocks")] == [None, submission.reference]
    assert [line["action"] for line in rows(report, "events")] == ["job:died"]
    worst = rows(report, "unlocks")[0]
    assert (worst["link"], worst["failed"], worst["locks"]) == (link, 7, 1)
    assert report.summary["wrong second factors"] == 8
    assert report.summary["locks of links"] == 1


def test_an_unlock_begins_a_new_count(sqlite_context: Context) -> None:
    link = {Detail.LINK: str(uuid7())}
    with begin(sqlite_context.database, sqlite_context.keys, Actor(ActorKind.LINK, "x")) as unit:
        for _ in range(2):
            for _ in range(4):
                unit.record(None, Action.PAGE_UNLOCK_FAILED, link)
            unit.record(None, Action.PAGE_UNLOCKED, link)
    assert reviewed(sqlite_context).summary["locks of links"] == 0


def test_a_sign_off_names_the_very_report_and_closes_the_gap(context: Context) -> None:
    now = utc_now()
    with begin(context.database, context.keys, actions.lane("score")) as unit:
        unit.now -= dt.timedelta(days=3)
        unit.record(None, Action.JOB_DIED)
    yesterday = Period(now - dt.timedelta(days=1), now - dt.timedelta(hours=1))
    report = reviewed(context, yesterday)
    assert len(rows(report, "not_reviewed")) == 1
    sign_off(context.database, context.keys, AUDITOR, report, Finding.FOLLOWED_UP, FollowUp.ASKED)

    (row,) = table(context.database, ActivityReview.table())
    assert (row.reviewer, row.finding) == (str(AUDITOR), "followed_up")
    assert row.report_digest == hashlib.sha256(report.json).hexdigest()
    record = next(e for e in table(context.database, AuditEvent.table()) if e.action == Action.ACTIVITY_REVIEWED)
    assert (record.actor, record.reason) == (str(AUDITOR), "asked")
    assert json.loads(record.details)["digest"] == row.report_digest

    again = reviewed(context, yesterday)
    assert [line["digest"] for line in rows(again, "sign_offs")] == [row.report_digest]
    missing = [(line["from"], line["to"]) for line in rows(again, "not_reviewed")]
    assert all(not (start < yesterday.end and end > yesterday.start) for start, end in missing)
    with context.database.read() as connection:
        assert [each.period for each in read_sign_offs(connection)] == [yesterday]


def test_what_is_not_over_is_not_signed_off(sqlite_context: Context) -> None:
    report = reviewed(sqlite_context, until_now())
    with pytest.raises(NotOver):
        sign_off(sqlite_context.database, sqlite_context.keys, AUDITOR, report, Finding.NOTHING_UNUSUAL, None)
    assert table(sqlite_context.database, ActivityReview.table()) == []


@pytest.mark.parametrize(
    ("finding", "follow_up"), [(Finding.FOLLOWED_UP, None), (Finding.NOTHING_UNUSUAL, FollowUp.MENDED)]
)
def test_what_was_followed_up_says_how_and_nothing_else_does(
    sqlite_context: Context, finding: Finding, follow_up: FollowUp | None
) -> None:
    now = utc_now()
    report = reviewed(sqlite_context, Period(now - dt.timedelta(days=1), now))
    with pytest.raises(ValueError, match="followed_up"):
        sign_off(sqlite_context.database, sqlite_context.keys, AUDITOR, report, finding, follow_up)
    assert table(sqlite_context.database, ActivityReview.table()) == []


HOURS = st.tuples(st.integers(0, 60), st.integers(1, 20))


@given(signed=st.lists(HOURS, max_size=6), length=st.integers(1, 50))
def test_gaps_are_exactly_the_hours_that_no_sign_off_covers(signed: list[tuple[int, int]], length: int) -> None:
    def at(hour: int) -> dt.datetime:
        return DAY + dt.timedelta(hours=hour)

    covered = {hour for start, hours in signed for hour in range(start, start + hours)}
    found = gaps([Period(at(start), at(start + hours)) for start, hours in signed], at(5), at(5 + length))
    missing = {hour for hour in range(90) for gap in found if gap.start <= at(hour) < gap.end}
    assert missing == set(range(5, 5 + length)) - covered
