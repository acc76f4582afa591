import dataclasses

import pytest

from pipeline.context import Context
from pipeline.operations.timeline import find_submission, read_timeline
from tests.support.submissions import submit
from tests.support.work import drain


def test_a_reference_is_found_however_it_was_read_out(context: Context) -> None:
    kept = submit(context)
    bare = kept.reference.removeprefix("CR-")
    with context.database.read() as connection:
        for name in (kept.reference, kept.reference.lower(), f" {bare} ", bare.lower(), str(kept.submission_id)):
            assert find_submission(connection, name) == kept.submission_id
        for name in ("", "CR-", "CR-0000-0000", "nonsense", "01900000-0000-7000-8000-000000000000"):
            assert find_submission(connection, name) is None


def test_the_journey_is_complete_in_order_and_holds_no_answer(context: Context) -> None:
    kept = submit(context, first_name="Zyxmarker", last_name="Qwvmarker", email="zqmarker@example.org")
    drain(context)
    with context.database.read() as connection:
        timeline = read_timeline(connection, kept.submission_id)
    assert [step.seq for step in timeline.steps] == list(range(1, len(timeline.steps) + 1))
    assert [step.action for step in timeline.steps][:5] == [
        "submission:received",
        "submission:validated",
        "consent:given",
        "consent:given",
        "email:queued",
    ]
    assert {"submission:scored", "referral:offered", "email:handed_over"} <= {step.action for step in timeline.steps}
    shown = str(dataclasses.asdict(timeline)).casefold()
    for answer in ("zyxmarker", "qwvmarker", "zqmarker", "fibromyalgia", "1975-03-28", "94110"):
        assert answer not in shown


def test_there_is_no_timeline_of_nobody(context: Context) -> None:
    kept = submit(context)
    with context.database.read() as connection, pytest.raises(LookupError):
        read_timeline(connection, type(kept.submission_id)(int=0))
