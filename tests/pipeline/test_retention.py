"""What is past its time goes, and nothing that is open or held."""

import datetime as dt
import uuid

import pytest
from uuid_utils.compat import uuid7

from pipeline import retention
from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.erasure import journal
from pipeline.erasure.holds import lift, place
from pipeline.erasure.journal import Cause
from pipeline.models import (
    DeadJob,
    Email,
    Erasure,
    Heartbeat,
    MailEvent,
    OneTimeCode,
    Referral,
    SecureSession,
)
from pipeline.retention import let_go, take_retention_turn
from pipeline.retention_classes import RetentionClass, count_last_days_in_quarantine, read_standings
from pipeline.status import ReferralStatus, SubmissionStatus
from tests.pipeline.erasure.cases import STAFF, erase, of_every_status, rows_of, set_columns
from tests.pipeline.operations.work import unreadable
from tests.pipeline.secure_pages.links import PROVIDERS, referred
from tests.support.submissions import person, submit
from tests.support.work import actions_about, drain, expire_referrals, make_due, run_sweep, status_of, table

S = SubmissionStatus
NOTHING_OPEN = {S.WITHDRAWN, S.NO_MATCH, S.QUARANTINED, S.REJECTED, S.DUPLICATE}
"""Of `of_every_status`, where the candidate has offers out."""


def after(days: float) -> dt.datetime:
    return utc_now() + dt.timedelta(days=days)


def test_of_every_status_only_what_is_not_open_goes_in_its_time(context: Context) -> None:
    made = of_every_status(context)
    drain(context, "email")
    short, long = context.settings.retain_unread_days, context.settings.retain_submissions_days
    assert not let_go(context, STAFF, now=after(short - 1)).counts.get(RetentionClass.UNREAD)
    let_go(context, STAFF, now=after(short + 1))
    gone = {status for status, id_ in made.items() if status_of(context, id_) is S.ERASED}
    assert gone == NOTHING_OPEN - {S.NO_MATCH}
    done = let_go(context, STAFF, now=after(long + 1))
    assert done.counts[RetentionClass.SUBMISSIONS] == 1
    gone = {status for status, id_ in made.items() if status_of(context, id_) is S.ERASED}
    assert gone == NOTHING_OPEN
    lines = journal.read(context.settings.effective_erasure_file, context.keys).lines
    assert {line.submission_id for line in lines} == {made[status] for status in NOTHING_OPEN}
    assert {row.cause for row in table(context.database, Erasure.table())} == {Cause.RETENTION.value}
    assert "consent:withdrawn" not in actions_about(context, made[S.NO_MATCH]), "nobody took anything back"
    assert actions_about(context, None).count(Action.RETENTION_RUN.value) >= 2


def test_an_answered_referral_is_kept_from_its_last_event_on_and_stays_as_it_was(context: Context) -> None:
    case = referred(context, **person(1))
    set_columns(
        context,
        Referral,
        Referral.provider_id == PROVIDERS[0],
        status=ReferralStatus.ACCEPTED.value,
        expires_at=None,
        closed_at=after(100),
    )
    expire_referrals(context.database)
    for _ in range(4):  # the others let it lapse, until nobody is left to ask
        run_sweep(context)
        make_due(context.database)
        drain(context)
        expire_referrals(context.database)
    long = context.settings.retain_submissions_days
    for days, status in ((long + 99, S.CANDIDATE), (long + 101, S.ERASED)):
        let_go(context, STAFF, now=after(days))
        assert status_of(context, case.submission_id) is status
    standing = {row.provider_id: row.status for row in rows_of(context, Referral.table(), case.submission_id)}
    assert standing[PROVIDERS[0]] == ReferralStatus.ACCEPTED.value
    drain(context)
    kinds = {row.kind for row in rows_of(context, Email.table(), case.submission_id)}
    assert "referral-withdrawn" not in kinds, "that was years ago"


def test_events_codes_and_sessions_go_and_what_is_held_stays(context: Context) -> None:
    case, held = referred(context, **person(1)), referred(context, **person(2))
    for each in (case, held):
        each.provider_session()
        drain(context)
    emails = {row.submission_id: row.id for row in table(context.database, Email.table())}
    with context.database.write() as connection:
        for email_id in [*emails.values(), None]:
            for applied_at in (utc_now(), None):
                event = {"event_key": uuid7().bytes, "transport": "sendgrid", "event": "delivered"}
                times = {"occurred_at": utc_now(), "received_at": utc_now(), "applied_at": applied_at}
                connection.execute(MailEvent.table().insert().values(id=uuid7(), email_id=email_id, **event, **times))
    place(context.database, context.keys, STAFF, held.submission_id, "case-2026-14")
    standings = {each.retention_class: each for each in _standings(context, 400)}
    mail, sessions = standings[RetentionClass.MAIL_EVENTS], standings[RetentionClass.SESSIONS]
    assert (mail.due, mail.held, sessions.due, sessions.held) == (2, 1, 1, 1)
    assert standings[RetentionClass.AUDIT].due == 0
    let_go(context, STAFF, now=after(400))
    left = [(row.email_id, row.applied_at is None) for row in table(context.database, MailEvent.table())]
    waiting = [(emails[case.submission_id], True), (emails[held.submission_id], True), (None, True)]
    assert sorted(left, key=str) == sorted([(emails[held.submission_id], False), *waiting], key=str)
    for of in (OneTimeCode, SecureSession):
        links = {row.link_id for row in table(context.database, of.table())}
        assert links == {held.link(held.provider_token()).id}
    assert not let_go(context, STAFF, now=after(400)).counts


def test_a_hold_keeps_what_is_past_its_time_and_a_dead_letter_asks_people_first(context: Context) -> None:
    held, dead, free = (unreadable(context).submission_id for _ in range(3))
    place(context.database, context.keys, STAFF, held, "case-2026-14")
    letter = {"id": 1, "lane": "validate", "attempts": 1, "reason": "x", "died_at": utc_now()}
    with context.database.write() as connection:
        connection.execute(DeadJob.table().insert().values(submission_id=dead, target_id=dead, **letter))
    days = context.settings.retain_unread_days
    with context.database.read() as connection:
        for moment, number in ((days - 31, 0), (days - 29, 2)):
            assert count_last_days_in_quarantine(connection, context.settings, after(moment)) == number
    let_go(context, STAFF, now=after(days + 1))
    assert [status_of(context, each) for each in (held, dead, free)] == [S.QUARANTINED, S.QUARANTINED, S.ERASED]
    (standing,) = [each for each in _standings(context, days + 1) if each.retention_class is RetentionClass.UNREAD]
    assert (standing.due, standing.held) == (0, 1)
    lift(context.database, context.keys, STAFF, held, "case-2026-14")
    let_go(context, STAFF, now=after(days + 1))
    assert status_of(context, held) is S.ERASED


def test_a_worker_takes_its_turn_once_an_hour(sqlite_context: Context) -> None:
    assert take_retention_turn(sqlite_context) is not None
    assert take_retention_turn(sqlite_context) is None
    again = take_retention_turn(sqlite_context, every_seconds=0)
    assert again is not None
    assert not again.counts


def test_a_turn_goes_on_while_there_is_time_and_the_next_comes_soon_if_some_is_left(
    sqlite_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = sqlite_context
    ids = [unreadable(context).submission_id for _ in range(5)]
    monkeypatch.setattr(retention, "ERASED_AT_A_TIME", 2)
    monkeypatch.setattr(retention, "database_time", lambda _connection: after(400))
    asked = iter([False] * 3 + [True] * 100)
    stopped = take_retention_turn(context, stopping=lambda: next(asked))
    assert stopped is not None
    assert (stopped.counts, stopped.more) == ({RetentionClass.UNREAD: 2}, True)
    assert take_retention_turn(context) is None, "soon is not at once"
    (beat,) = [row for row in table(context.database, Heartbeat.table()) if row.name == retention.RETENTION]
    assert beat.at < after(-0.5 / 24)
    soon = dt.timedelta(seconds=retention.SOON_SECONDS)
    set_columns(context, Heartbeat, Heartbeat.name == retention.RETENTION, at=beat.at - soon)
    rest = take_retention_turn(context)
    assert rest is not None
    assert (rest.counts, rest.more) == ({RetentionClass.UNREAD: 3}, False)
    assert {status_of(context, each) for each in ids} == {S.ERASED}
    none = take_retention_turn(context, every_seconds=0, turn_seconds=0)
    assert none is not None
    assert none.more, "nothing was looked at"


def test_one_that_cannot_be_erased_stays_alone_and_is_told(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key cannot be deleted: the database says so, of every batch that it is in."""
    ids = [unreadable(context).submission_id for _ in range(4)]
    monkeypatch.setattr(retention, "ERASED_AT_A_TIME", 1)
    poison(context, ids[0])
    let = let_go(context, STAFF, now=after(400))
    assert [status_of(context, each) for each in ids] == [S.QUARANTINED, S.ERASED, S.ERASED, S.ERASED]
    assert (set(let.failed), let.counts[RetentionClass.UNREAD]) == ({ids[0]}, 3)
    lines = journal.read(context.settings.effective_erasure_file, context.keys).lines
    assert {line.submission_id for line in lines} == set(ids[1:])
    monkeypatch.undo()
    assert let_go(context, STAFF, now=after(400)).failed.keys() == {ids[0]}


def poison(context: Context, submission_id: uuid.UUID) -> None:
    """A trigger of the database refuses to delete what is of this one."""
    sqlite = f"""CREATE TRIGGER poison BEFORE DELETE ON quarantine WHEN old.submission_id = '{submission_id.hex}'
        BEGIN SELECT RAISE(ABORT, 'poison'); END"""
    function = f"""CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF old.submission_id = '{submission_id}' THEN RAISE EXCEPTION 'poison'; END IF; RETURN old; END $$"""
    trigger = "CREATE TRIGGER poison BEFORE DELETE ON quarantine FOR EACH ROW EXECUTE FUNCTION poison()"
    with context.database.write() as connection:
        for statement in (function, trigger) if context.database.is_postgresql else (sqlite,):
            connection.exec_driver_sql(statement)


def test_files_that_were_left_go_with_a_later_turn_and_those_of_others_stay(sqlite_context: Context) -> None:
    context = sqlite_context
    gone, kept = submit(context, **person(1)), submit(context, **person(2))
    drain(context)
    folder = context.settings.effective_mailbox_dir
    files = {path: path.read_bytes() for path in folder.iterdir()}
    erase(context, gone.submission_id)
    drain(context)
    there = set(folder.iterdir())
    for path in files.keys() - there:  # as if a process had died before it deleted them, one while it wrote
        path.write_bytes(files[path])
    (lost, *_) = files.keys() - there
    (folder / f".{lost.stem}.{uuid.uuid4()}.partial").write_bytes(b"To: ...")
    (folder / "notes.txt").write_text("somebody's")
    assert let_go(context, STAFF).left == ()
    assert set(folder.iterdir()) == {*there, folder / "notes.txt"}
    assert status_of(context, kept.submission_id) is S.CANDIDATE


def test_when_it_cannot_be_written_down_it_stays(sqlite_context: Context) -> None:
    kept = unreadable(sqlite_context)
    sqlite_context.settings.effective_erasure_file.mkdir()
    with pytest.raises(journal.CannotBeWritten):
        let_go(sqlite_context, STAFF, now=after(400))
    assert status_of(sqlite_context, kept.submission_id) is S.QUARANTINED


def _standings(context: Context, days: float) -> list:  # type: ignore[type-arg]
    with context.database.read() as connection:
        return read_standings(connection, context.settings, after(days))
