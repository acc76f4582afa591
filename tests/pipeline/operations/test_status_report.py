import datetime as dt

from sqlalchemy import insert, select, update

from config.settings import MailTransport, Settings
from pipeline import ledger
from pipeline.audit.anchors import DIRECTORY, ENDPOINT, note_problem
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.lane_names import JOB_LANES, LANE_NAMES
from pipeline.models import AuditPending, Job, SourceTally
from pipeline.operations.log_report import LogReport
from pipeline.operations.metrics import to_text
from pipeline.operations.status_report import LaneReport, MailReport, StatusReport, read_status
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.pipeline.operations.work import dead_email, unreadable
from tests.support.log import record, sequence
from tests.support.networks import fitting, put_in_force
from tests.support.receipts import report as tell
from tests.support.receipts import told
from tests.support.submissions import person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import count, drain, make_due, run_sweep

NOTHING = LaneReport()


def report(context: Context) -> StatusReport:
    with context.database.read() as connection:
        return read_status(connection)


def test_an_installation_in_which_nothing_happened(context: Context) -> None:
    found = report(context)
    sequence = found.lanes["sequence"]
    assert found.lanes == dict.fromkeys(JOB_LANES, NOTHING) | {"sequence": sequence}
    waiting = count(context.database, AuditPending.table())  # the providers were published
    assert (sequence.due, sequence.oldest_seconds is not None) == (waiting, True)
    assert found.log == LogReport(pending=waiting, oldest_seconds=sequence.oldest_seconds)
    assert (found.sources, found.sweep_age_seconds, found.quarantined, found.in_review) == ({}, None, 0, 0)
    assert found.mail == MailReport()


def test_metrics_have_a_zero_for_what_the_settings_let_happen(sqlite_context: Context) -> None:
    found = report(sqlite_context)
    text = to_text(found, Settings(mail_transport=MailTransport.SENDGRID))
    assert 'careroute_mail_breaker_open{transport="sendgrid"} 0.0\n' in text
    assert 'careroute_mail_events_total{transport="sendgrid",event="unreadable"} 0\n' in text
    assert 'careroute_mail_suppressed{mail_class="requested"} 0\n' in text
    assert "sendgrid" not in to_text(found, Settings())


def test_due_in_flight_and_delayed_jobs_are_told_apart_and_aged(context: Context) -> None:
    for number in range(4):
        submit(context, person(number))
    with context.database.write() as connection:
        (claimed,) = ledger.claim(connection, "validate", 1, 60)
        waiting = Job.id != claimed.id
        connection.execute(update(Job).where(waiting).values(due_at=utc_now() - dt.timedelta(minutes=10)))
        connection.execute(update(Job).where(Job.id == claimed.id + 1).values(due_at=utc_now() + dt.timedelta(hours=1)))
    lane = report(context).lanes["validate"]
    assert (lane.due, lane.in_flight, lane.delayed, lane.dead) == (2, 1, 1, 0)
    assert lane.oldest_seconds is not None
    assert 600 <= lane.oldest_seconds < 660


def test_what_waits_for_people_is_counted(context: Context) -> None:
    dead_email(context)
    unreadable(context)
    submit(context, person(1), condition="other", condition_other="Stiff person syndrome")
    drain(context)
    found = report(context)
    assert (found.lanes["email"].dead, found.quarantined, found.in_review) == (1, 1, 1)


def test_a_pause_says_why_and_until_when(context: Context) -> None:
    with context.database.write() as connection:
        ledger.pause(connection, "email", "http-401", 60)
    paused = report(context).lanes["email"].paused
    assert paused is not None
    assert paused.until is not None
    assert (paused.reason, paused.until - paused.since) == ("http-401", dt.timedelta(seconds=60))


def test_how_mail_stands(sqlite_context: Context) -> None:
    put_in_force(sqlite_context, fitting("one"))
    submit(sqlite_context)
    drain(sqlite_context, "validate", "score")
    lost = [Receipt(SendOutcome.UNCERTAIN, code="no-answer")] * 3
    drain(sqlite_context, "email", transport=ScriptedTransport(lost, confirms=True))
    assert (report(sqlite_context).mail.uncertain_held, report(sqlite_context).mail.uncertain_asked) == (3, 0)
    make_due(sqlite_context.database)
    refused = ScriptedTransport([Receipt(SendOutcome.LANE_FAILURE, code="401")] * 3)
    drain(sqlite_context, "email", transport=refused)
    tell(sqlite_context, [told("delivered"), told("delivered"), told("bounce", email="ana@example.org")])
    mail = report(sqlite_context).mail
    assert (mail.uncertain_held, mail.uncertain_asked) == (0, 1)
    assert mail.events == {"sendgrid": {"bounced": 1, "delivered": 2}}
    assert mail.last_event_at is not None
    breaker = mail.breakers["scripted"]
    assert (breaker.state, breaker.reason, breaker.trips) == ("open", "401", 1)
    assert breaker.probe_at is not None
    assert breaker.probe_at > breaker.since


def test_the_log_is_told_with_its_lag_and_its_anchors(context: Context) -> None:
    checkpoint = sequence(context)
    assert checkpoint is not None
    record(context, None, None)
    with context.database.write() as connection:
        first = select(AuditPending.event_id).order_by(AuditPending.event_id).limit(1)
        connection.execute(update(AuditPending).where(AuditPending.event_id.in_(first)).values(refused="not ours"))
        note_problem(connection, ENDPOINT, 1, "the endpoint answered 500")
    found = report(context).log
    assert (found.origin, found.size, found.pending, found.refused) == (checkpoint.origin, checkpoint.size, 1, 1)
    assert found.checkpoint is not None
    assert found.checkpoint.size == checkpoint.size
    assert {name: (anchor.size, anchor.problem) for name, anchor in found.anchors.items()} == {
        DIRECTORY: (checkpoint.size, None),
        ENDPOINT: (0, "the endpoint answered 500"),
    }
    assert found.signing_problem is None
    text = to_text(report(context), Settings())
    assert f"careroute_audit_log_size {checkpoint.size}\n" in text
    assert "careroute_audit_refused 1\n" in text
    assert "careroute_audit_unsigned 0\n" in text
    assert 'careroute_jobs{lane="sequence",state="due"} 1\n' in text
    assert 'careroute_audit_anchor_failing{anchor="endpoint"} 1.0\n' in text


def test_a_lane_of_a_newer_version_is_shown_too(context: Context) -> None:
    kept = submit(context)
    with context.database.write() as connection:
        ledger.enqueue(connection, [ledger.NewJob("newer", kept.submission_id, kept.submission_id)])
    found = report(context)
    assert list(found.lanes) == [*LANE_NAMES, "newer"]
    assert found.lanes["newer"].due == 1


def test_sources_and_the_sweep(context: Context) -> None:
    run_sweep(context)
    now = utc_now()
    rows = [("accepted", 7, 60), ("repeated", 2, 5), ("refused:unknown_sender", 3, 30)]
    with context.database.write() as connection:
        connection.execute(
            insert(SourceTally),
            [
                {"source": "site", "outcome": outcome, "count": count, "last_at": now - dt.timedelta(seconds=ago)}
                for outcome, count, ago in rows
            ],
        )
    found = report(context)
    source = found.sources["site"]
    assert (source.accepted, source.repeated, source.refused) == (7, 2, {"unknown_sender": 3})
    assert source.last_seen == now - dt.timedelta(seconds=5)
    assert found.sweep_age_seconds is not None
    assert found.sweep_age_seconds < 60
