"""One submission the whole way, in one process, on both databases."""

from pipeline.audit.verify import verify_events
from pipeline.context import Context
from pipeline.status import SubmissionStatus
from tests.support.submissions import submit
from tests.support.work import drain, emails, jobs, status_of


def test_a_valid_submission_becomes_a_candidate_and_everyone_hears(context: Context) -> None:
    kept = submit(context)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    told = emails(context, kept.submission_id)
    assert [(kind, status) for kind, _, status in told] == [
        ("confirmation", "handed_over"),
        ("recommendation", "handed_over"),
        *[("referral", "handed_over")] * 3,
    ]
    assert not jobs(context.database)
    with context.database.snapshot() as connection:
        assert verify_events(connection, context.keys).findings == ()
