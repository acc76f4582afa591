"""Every door answers sensibly about an erased submission: it is there, it is erased, and nothing can be had of it."""

import pytest

from pipeline.context import Context
from pipeline.erasure import people
from pipeline.intake.admission import Admission
from pipeline.models import AuditEvent, Email
from pipeline.operations.dead_letters import list_dead
from pipeline.operations.quarantine import list_quarantined, remap
from pipeline.operations.review_case import ReviewRefused, open_case
from pipeline.operations.reviews import list_in_review
from pipeline.operations.scoring_again import CannotBeScoredAgain, score_again
from pipeline.operations.timeline import find_submission, read_timeline
from pipeline.operations.what_if import latest_scored
from pipeline.people import read_who
from pipeline.secure_link import unsubscribe_url
from pipeline.secure_pages.code import send_code
from pipeline.secure_pages.link import Closed
from pipeline.secure_pages.new_link import send_new_link
from pipeline.secure_pages.opening import look, open_page
from pipeline.secure_pages.stopping import stop
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin
from pipeline.unsubscribing import look as look_at_subscription
from pipeline.withdrawal import withdraw
from tests.config.shipped import ANSWERS, KEY
from tests.pipeline.erasure.cases import STAFF, erase, of_every_status
from tests.pipeline.operations.work import dead_email
from tests.pipeline.secure_pages.links import BORN, nobody, referred
from tests.support.submissions import SOURCE, submit
from tests.support.work import actions_about, count, drain, run_sweep, status_of, table
from web.intake_service import DatabaseIntake
from web.tally import Tally

S = SubmissionStatus
EMAIL, FIRST_NAME = str(ANSWERS["email"]), str(ANSWERS["first_name"])


def test_links_of_an_erased_request_lead_nowhere(sqlite_context: Context) -> None:
    context = sqlite_context
    case = referred(context)
    to_person, to_provider = case.token(), case.provider_token()
    session = case.provider_session()
    drain(context)
    reference = next(iter(erase(context, case.submission_id).erased)).reference
    drain(context)
    before = count(context.database, AuditEvent.table())
    for token in (to_person, to_provider):
        assert look(context, token, session, "request") == Closed()
        assert open_page(context, token, session, BORN, None, "request") == Closed()
        assert stop(context, token, "request", nobody) == Closed()
        assert send_code(context, token, None, "request", nobody) == Closed()
    send_new_link(context, EMAIL, reference, "en", "request", nobody)
    url = unsubscribe_url("", context.vault, table(context.database, Email.table())[0].id)
    assert look_at_subscription(context, url.removeprefix("/u/")) is None
    run_sweep(context)
    drain(context)
    assert count(context.database, AuditEvent.table()) == before
    with begin(context.database, context.keys, STAFF) as unit:
        assert not withdraw(context, unit, case.submission_id, None)


def test_staff_and_the_source_are_told_that_it_is_erased(sqlite_context: Context) -> None:
    context = sqlite_context
    made = of_every_status(context)
    for submission_id in made.values():
        erase(context, submission_id)
    intake = DatabaseIntake(context, nobody, Tally(context.database, [SOURCE]), Admission(1, 1))
    for status, submission_id in made.items():
        if status is not S.QUARANTINED:  # it came from another source
            answered = intake.status(KEY, submission_id)
            assert answered is not None
            assert answered.status == "erased"
        with context.database.read() as connection:
            timeline = read_timeline(connection, submission_id)
            assert find_submission(connection, timeline.reference) == submission_id
        assert timeline.status == "erased"
        with pytest.raises(ReviewRefused, match="erased"):
            open_case(context, STAFF, submission_id)
        with pytest.raises(CannotBeScoredAgain, match="erased"):
            score_again(context.database, context.keys, STAFF, submission_id)
    assert remap(context.database, context.keys, STAFF, list(made.values())) == ()
    with context.database.read() as connection:
        assert not set(latest_scored(connection, 100)) & set(made.values())
        assert not list_quarantined(connection)
        assert not list_in_review(connection, limit=10)


def test_dead_letters_of_an_erased_request_are_discarded_on_record(sqlite_context: Context) -> None:
    kept = dead_email(sqlite_context)
    erase(sqlite_context, kept.submission_id)
    with sqlite_context.database.read() as connection:
        assert list_dead(connection) == []
    assert "job:discarded" in actions_about(sqlite_context, kept.submission_id)


def test_all_of_a_person_are_found_and_nobody_elses(context: Context) -> None:
    """Also what was never read: set aside since the address got too many, or not validated yet."""
    mine = [submit(context, condition=condition).submission_id for condition in ("knee_osteoarthritis", "hair_loss")]
    twin = submit(context, first_name="Zoe").submission_id
    flooded = [submit(context, severity=number).submission_id for number in range(3)]
    drain(context)
    unread = submit(context).submission_id
    assert S.QUARANTINED in {status_of(context, each) for each in flooded}
    who = read_who(EMAIL.upper(), BORN, f" {FIRST_NAME.lower()} ")
    found = people.find(context, STAFF, who)
    assert {each.submission_id for each in found.submissions} == {*mine, *flooded, unread}
    assert found.same_address == 1
    assert all("person:looked_up" in actions_about(context, each) for each in mine)
    erase(context, *(each.submission_id for each in found.submissions))
    assert people.find(context, STAFF, who).submissions == ()
    assert actions_about(context, None)[-1] == "person:looked_up"
    assert status_of(context, twin) is not S.ERASED
    again = submit(context)
    drain(context)
    assert status_of(context, again.submission_id) in {S.CANDIDATE, S.QUARANTINED}, "a new request is a new one"
