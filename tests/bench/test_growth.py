from bench.growth import At, Growth, GrowthPlan, Times, growth_part
from bench.laboratory import Laboratory
from bench.seed import seed
from bench.seed_sample import SIZE
from pipeline.operations.status_report import read_status

COPIES = 4
_FACTS = """
SELECT (SELECT count(*) FROM submission), (SELECT count(DISTINCT reference) FROM submission),
    (SELECT count(*) FROM submission WHERE received_at < now() - INTERVAL '1 month'),
    (SELECT count(*) FROM audit_event WHERE submission_id IS NOT NULL), (SELECT count(*) FROM email),
    (SELECT count(*) FROM referral WHERE expires_at IS NULL), (SELECT count(*) FROM job)
"""
_ORPHANS = """
SELECT count(*) FROM email LEFT JOIN secure_link ON secure_link.id = email.id
    AND secure_link.submission_id = email.submission_id LEFT JOIN submission ON submission.id = email.submission_id
WHERE secure_link.id IS NULL OR submission.id IS NULL OR submission.received_at > email.created_at
"""


def test_a_database_is_filled_with_a_history_in_which_nothing_is_due(laboratory: Laboratory) -> None:
    with laboratory.fresh("seeded") as (context, _):
        seeded = seed(context, COPIES * SIZE)
        with context.database.read() as connection:
            facts = connection.exec_driver_sql(_FACTS).one()
            orphans = connection.exec_driver_sql(_ORPHANS).scalar_one()
            report = read_status(connection)
    submissions, references, old, records, emails, closed, jobs = facts
    assert (seeded.submissions, submissions, references) == (COPIES * SIZE,) * 3
    assert old == (COPIES - 1) * SIZE
    assert emails > 4 * submissions
    assert closed > 2 * old
    assert (jobs, orphans) == (0, 0)
    # The network's publication is on record and in the log too.
    assert report.log.size >= records > 14 * submissions
    assert report.log.pending == 0


def test_what_was_wanted_decides(laboratory: Laboratory) -> None:
    def measured(ratio: float = 0.9, seconds: float = 0.049) -> Growth:
        times = Times((seconds, seconds))
        return Growth(GrowthPlan(), (At(1_000_000, (100.0,), (ratio,), times, times, times),), (), ())

    assert growth_part(measured(), laboratory, "make bench").reached
    assert not growth_part(measured(ratio=0.89), laboratory, "make bench").reached
    assert not growth_part(measured(seconds=0.05), laboratory, "make bench").reached
