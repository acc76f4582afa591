import datetime as dt

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.erasure import people
from pipeline.models import Submission
from pipeline.operations.review_case import open_case
from pipeline.people import read_who
from pipeline.reports import access
from pipeline.unit_of_work import begin
from tests.pipeline.operations.reviewing import CONTRADICTION, EXPERT, in_review
from tests.pipeline.reports.history import AUDITOR, OPENED, begun, opened_by_one_provider, rows
from tests.pipeline.secure_pages.links import PROVIDERS
from tests.support.submissions import answers, submit
from tests.support.work import drain, table


def test_who_looked_at_a_person_is_told_in_order_with_those_who_tried(context: Context) -> None:
    case = opened_by_one_provider(context, times=2)
    making = begun(context, access.NAME, [case.submission_id])
    with context.database.snapshot() as connection:
        report = access.report_about(connection, making, [case.submission_id])
    found = rows(report)
    person = f"person:{case.submission_id}"
    links = {line["actor"] for line in found if line["actor"].startswith("link:")}
    told = [(line["actor"] if line["actor"] not in links else "link", line["did"]) for line in found]
    assert told == [
        ("link", access.LOOKS[Action.CODE_REQUESTED]),
        (OPENED, access.LOOKS[Action.PAGE_UNLOCKED]),
        (OPENED, "was shown"),
        (OPENED, "was shown"),
        ("link", access.LOOKS[Action.PAGE_UNLOCK_FAILED]),
        (person, access.LOOKS[Action.PAGE_UNLOCKED]),
        (person, "was shown"),
        (str(AUDITOR), "made a report about it"),
    ]
    assert report.summary == {"displays": 3, "pages opened": 2, "wrong second factors": 1, "reports": 1}
    assert [line["at"] for line in found] == sorted(line["at"] for line in found)


def test_what_somebody_looked_at_is_told_with_what_they_were_sent(sqlite_context: Context) -> None:
    context = sqlite_context
    case = opened_by_one_provider(context)
    other = in_review(context, **CONTRADICTION, first_name="Eva")
    open_case(context, EXPERT, other.submission_id)
    with begin(context.database, context.keys, actions.lane("email")) as unit:
        sent = {Detail.RECIPIENT: str(EXPERT), Detail.PURPOSE: "review", Detail.EMAIL: "an email"}
        unit.record(case.submission_id, Action.FACTS_DISCLOSED, sent)
        # Other people; SQLite's LIKE does not tell capitals from small letters.
        unit.record(case.submission_id, Action.FACTS_DISCLOSED, {**sent, Detail.RECIPIENT: "staff:EXPERT"})
        unit.record(case.submission_id, Action.FACTS_DISCLOSED, {**sent, Detail.RECIPIENT: f"{EXPERT}-2"})
        unit.record(None, Action.LOG_EXPORTED, actor=EXPERT)

    known = {row.id: row.reference for row in table(context.database, Submission.table())}
    making = begun(context, access.NAME)
    with context.database.snapshot() as connection:
        report = access.report_by(connection, making, str(EXPERT))
        provider = access.report_by(connection, making, OPENED)
        nobody = access.report_by(connection, making, f"provider:{PROVIDERS[1]}")
    assert [(line["reference"], line["recipient"]) for line in rows(report)] == [
        (other.reference, str(EXPERT)),
        (known[case.submission_id], str(EXPERT)),
    ]
    assert [line["did"] for line in rows(report, "at_large")] == [access.AT_LARGE[Action.LOG_EXPORTED]]
    assert provider.summary["displays"] == 1
    assert rows(nobody) == []
    assert report.summary["requests"] == 2


def test_only_the_period_counts(sqlite_context: Context) -> None:
    context = sqlite_context
    case = opened_by_one_provider(context)
    with begin(context.database, context.keys, EXPERT) as unit:
        unit.now -= dt.timedelta(days=365 * 7)
        unit.record(case.submission_id, Action.FACTS_DISCLOSED, {Detail.PURPOSE: "review"})
    making = begun(context, access.NAME, [case.submission_id])
    with context.database.snapshot() as connection:
        report = access.report_about(connection, making, [case.submission_id])
    assert str(EXPERT) not in {line["actor"] for line in rows(report)}


def test_that_a_person_was_looked_for_is_told_with_the_request_and_with_who_did(sqlite_context: Context) -> None:
    context = sqlite_context
    kept, given = submit(context), answers()
    drain(context)
    people.find(context, EXPERT, read_who(given["email"], given["date_of_birth"], given["first_name"]))
    people.find(context, EXPERT, read_who("nobody@example.org", "1990-01-01", "Nobody"))
    making = begun(context, access.NAME)
    with context.database.snapshot() as connection:
        about = access.report_about(connection, making, [kept.submission_id])
        by = access.report_by(connection, making, str(EXPERT))
    at_once = access.LOOKS[Action.PERSON_LOOKED_UP]
    in_vain = access.AT_LARGE[Action.PERSON_LOOKED_UP]
    for report in (about, by):
        looks = [(line["reference"], line["did"]) for line in rows(report) if line["actor"] == str(EXPERT)]
        assert looks == [(kept.reference, at_once)]
        assert [line["did"] for line in rows(report, "at_large") if line["actor"] == str(EXPERT)] == [in_vain]


BY_SOFTWARE = """
    submission:received submission:remapped submission:quarantined submission:validated submission:rejected
    submission:joined submission:scored submission:erased submission:not_stored
    referral:offered referral:expired referral:withdrawn referral:exhausted
    email:queued email:handed_over email:uncertain email:failed email:cancelled email:suppressed email:refused
    email:requeued email:deferred email:delivered email:bounced email:dropped email:complained
    job:died job:retried job:discarded lane:paused lane:resumed breaker:opened breaker:closed
    log:opened key:added key:promoted key:rewrapped key:retired retention:run providers:imported
"""
"""What software did, or was told to do: nobody was shown anything by it."""

DECISIONS = """
    submission:withdrawn submission:answered referral:accepted referral:declined consent:given consent:withdrawn
    suppression:added suppression:lifted hold:placed hold:lifted activity:reviewed
"""
"""What a page, or a report, showed before is on record by itself."""


def test_every_action_is_in_the_report_or_known_to_show_nothing() -> None:
    """A new action is to be put into the report, or, after a look at what it shows, into one of the two lists."""
    shows_nothing = {Action(name) for name in f"{BY_SOFTWARE} {DECISIONS}".split()}
    assert set(Action) - access.LOOKS.keys() - access.AT_LARGE.keys() == shows_nothing
