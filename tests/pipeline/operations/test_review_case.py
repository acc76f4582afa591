import json

import pytest

from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.operations.review_case import open_case
from pipeline.status import SubmissionStatus
from tests.pipeline.operations.reviewing import CONTRADICTION, EXPERT, PAUSED, about, beta, in_review
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import answers, person, submit
from tests.support.work import drain, status_of


def test_an_expert_reads_what_it_takes_to_decide_and_not_who_it_is(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    put_in_force(context, fitting("alpha", name="Alpha", availability=PAUSED), beta())
    case = open_case(context, EXPERT, kept.submission_id)

    told = {line.label: line.value for line in case.answers}
    assert told["Age when the form was received"].endswith(" years")
    assert "Fibromyalgia" in told.values()
    shown = str(case)
    for contact in ("María", "López", "1975", "maria.lopez", "5550132", "94110"):
        assert contact not in shown
    assert [(each.provider_id, each.program_id, each.standing) for each in case.found.programs] == [
        ("alpha", "clinic", "eligible"),
        ("beta", "first", "needs information"),
        ("beta", "second", "needs information"),
    ]
    (since, *_) = case.found.programs[1].criteria
    assert (since.id, since.finding, case.found.programs[1].questions[0].question) == (
        "since",
        "unknown",
        "onset_months",
    )
    assert list(case.questions) == ["onset_months"]
    assert case.obstacles == {"alpha/clinic": "closed (paused)", "beta/first": None, "beta/second": None}

    (record,) = about(context, kept.submission_id, Action.FACTS_DISCLOSED)
    assert record.actor == str(EXPERT)
    assert json.loads(record.details) == {"purpose": "review", "recipient": "staff:expert"}


def test_what_cannot_be_put_on_record_is_not_read(sqlite_context: Context) -> None:
    kept = in_review(sqlite_context, **CONTRADICTION)
    with sqlite_context.database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no_record BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'no record'); END"
        )
    with pytest.raises(Exception, match="no record"):
        open_case(sqlite_context, EXPERT, kept.submission_id)


def test_an_expert_hears_of_later_forms_that_were_joined(context: Context) -> None:
    kept = in_review(context, **CONTRADICTION)
    assert open_case(context, EXPERT, kept.submission_id).joined == ()
    later = [submit(context, answers(**CONTRADICTION, severity=severity)) for severity in (8, 9)]
    submit(context, person(1, **CONTRADICTION))
    drain(context)
    assert {status_of(context, each.submission_id) for each in later} == {SubmissionStatus.DUPLICATE}
    assert open_case(context, EXPERT, kept.submission_id).joined == tuple(each.reference for each in later)
