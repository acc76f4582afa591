"""No statement of the hot path reads a big table from end to end, however PostgreSQL plans it.

The database is filled with finished submissions and knows how many there are; then everything that workers, the web
and `status` do all the time is done once, and the plan of every statement that was run is looked at.
"""

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import update

from bench.seed_copies import Copies, insert_copies
from pipeline import ledger
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.intake.accept import Kept, accept
from pipeline.low_water import LowWater
from pipeline.models import Email, Job, Referral, Submission
from pipeline.operations.privacy_report import read_privacy
from pipeline.operations.status_report import read_status
from pipeline.outreach import EMAIL_LANE
from pipeline.secure_link import token_for
from pipeline.secure_pages.opening import look, open_page
from pipeline.transports.receipt import Receipt, SendOutcome
from tests.servers.postgres import PostgresServer
from tests.support.installations import Installation, copy_database, drop_database
from tests.support.log import sequence
from tests.support.plans import Plans, Scan, captured, explain_everything
from tests.support.receipts import attempts, report, told
from tests.support.submissions import arrival, person, submit
from tests.support.transports import ScriptedTransport
from tests.support.work import (
    drain,
    end_pauses,
    expire_leases,
    expire_referrals,
    run_sweep,
    table,
)

ORIGINALS, COPIES = 8, 500
_STEPS = 900_000
"""Nearly two years."""

SMALL: Mapping[str, str] = {
    "activity_review": "one a period",
    "alembic_version": "one row",
    "audit_anchoring": "one an anchor",
    "audit_archive": "one a file",
    "audit_log": "one; another after each restored backup",
    "audit_pending": "only what the sequencer has not seen yet",
    "audit_series": "one row",
    "dead_job": "people see to each",
    "duplicate": "never asked in the hot path",
    "heartbeat": "one a duty",
    "key_fingerprint": "one a keyset",
    "lane_pause": "one a lane",
    "legal_hold": "staff places each",
    "mail_tally": "one a transport and event",
    "network_revision": "one row",
    "one_time_code": "deleted after 30 days",
    "provider_load": "one a provider",
    "provider_version": "one a change of a provider",
    "quarantine": "people see to each",
    "review": "people see to each",
    "secure_session": "deleted after 30 days",
    "source_tally": "one a source and outcome",
    "transport_breaker": "one a transport",
}
"""May be read from end to end, and why."""

OF_THE_WHOLE_BACKLOG = ("WHERE lease_until <", "GROUP BY job.lane")
"""What may read all of `job`: the sweep that looks for leases that ended, and `status`, which counts. An index on
leases would cost every claim an entry in every index, which is more than these two cost every few seconds."""

COUNTED_BY_STATUS = (
    ("suppression", "GROUP BY suppression.mail_class"),
    ("email", "FROM job JOIN email"),
    *((name, "FROM suppression JOIN person_index") for name in ("suppression", "person_index", "submission")),
)
"""What `status` counts: all suppressed addresses, whom of them a recent request is from, and emails from the side of
their jobs. With as many addresses and jobs beside as few requests as here, reading them all is right."""


def transport() -> ScriptedTransport:
    """Every call is an attempt on record, each with a message id of its own."""
    return ScriptedTransport(Receipt(SendOutcome.ACCEPTED, f"m-{uuid.uuid4().hex}", "202") for _ in range(1000))


def fill(context: Context) -> None:
    """`ORIGINALS` submissions with all that can be about them, copied, and long tables of what is not about any."""
    for number in range(ORIGINALS):
        accept(context, arrival(person(number), vendor_id=f"first-{number}"), _nobody)
    drain(context, transport=transport())
    mails = [row for row in table(context.database, Email.table()) if row.kind == "recommendation"]
    report(context, [told("delivered", attempts(context, mail.id)[0]) for mail in mails])
    drain(context, transport=transport())
    originals = [row.id for row in table(context.database, Submission.table())]
    with context.database.write() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        insert_copies(connection, Copies(originals, 1, COPIES, 1, COPIES + 1, _STEPS))
        connection.exec_driver_sql(
            "INSERT INTO suppression (address_index, mail_class, reason, since) "
            "SELECT sha256(int8send(n)), 'transactional', 'bounced', now() FROM generate_series(1, 5000) AS n"
        )
        connection.exec_driver_sql(
            "INSERT INTO erasure (submission_id, cause, erased_at) "
            "SELECT gen_random_uuid(), 'request', now() FROM generate_series(1, 5000)"
        )
        connection.exec_driver_sql(
            "INSERT INTO audit_checkpoint (log, size, note, signed_at) "
            "SELECT 0, n, 'note', now() FROM generate_series(1, 5000) AS n"
        )
        connection.exec_driver_sql(
            "INSERT INTO audit_tile (log, level, tile_index, hashes, event_ids, lowest_event, highest_event) "
            "SELECT 0, 0, n, sha256(''), sha256(''), gen_random_uuid(), gen_random_uuid() "
            "FROM generate_series(1, 5000) AS n"
        )
        connection.exec_driver_sql(
            "INSERT INTO job (lane, target_id, generation, attempts, due_at, created_at, isolated) "
            "SELECT lane, gen_random_uuid(), 1, 0, now() + interval '1 day', now(), false "
            "FROM generate_series(1, 2000), unnest(ARRAY['email', 'refer', 'score', 'validate', 'receipts']) AS lane"
        )
    sequence(context)
    with context.database.read() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def live(watched: Context, quiet: Context, number: int) -> None:
    """Everything that goes on all the time, once, for new people, `number` and following. `quiet` helps out."""
    keys = {"vendor_id": f"v-{number}", "idempotency_key": f"k-{number}"}
    first = accept(watched, arrival(person(number), **keys), _nobody)
    accept(watched, arrival(person(number), **keys), _nobody)
    accept(watched, arrival(person(number + 1), vendor_id=f"v-{number}"), _nobody)
    assert isinstance(first, Kept)
    for other in (number, number + 2, number + 3):
        submit(watched, person(other))
    submit(watched, person(number + 4), condition="other", condition_other="Stiff person syndrome")
    submit(watched, person(number + 5), email="nobody")
    _work_off(watched)
    _receive(watched, quiet, first.submission_id)
    _open_pages(watched, quiet, first.submission_id)
    _sweep(watched, quiet)
    sequence(watched)
    with watched.database.read() as connection:
        read_privacy(connection, watched.settings, read_status(connection).at)


def _work_off(watched: Context) -> None:
    drain(watched, "validate")
    marks = LowWater(look_back_share=1e-12)
    for _ in range(2):
        with watched.database.write() as connection:
            ledger.claim(connection, "receipts", 1, 60, marks)  # none is due
    some_fail = ScriptedTransport([Receipt(SendOutcome.UNCERTAIN), Receipt(SendOutcome.RETRY, code="451")])
    drain(watched, EMAIL_LANE, transport=some_fail)
    drain(watched, transport=transport())


def _receive(watched: Context, quiet: Context, submission_id: uuid.UUID) -> None:
    """What providers report, by attempt, by message and by address."""
    mails = [row for row in table(quiet.database, Email.table()) if row.submission_id == submission_id]
    tried = [attempt for mail in mails for attempt in attempts(quiet, mail.id)]
    by_attempt = [told("delivered", attempt) for attempt in tried]
    by_message = told("bounce", sg_message_id=f"{tried[-1].provider_message_id}.recvd", email="ana.1@example.org")
    by_address = told("dropped", email="ana.2@example.org")
    report(watched, [*by_attempt, by_message, by_address])
    for _ in range(4):
        drain(watched, "receipts")
        with quiet.database.write() as connection:
            waiting = (Job.lane == "receipts", Job.attempts > 0)
            connection.execute(update(Job).where(*waiting).values(due_at=utc_now()))


def _open_pages(watched: Context, quiet: Context, submission_id: uuid.UUID) -> None:
    for mail in table(quiet.database, Email.table()):
        if mail.submission_id == submission_id:
            token = token_for(watched.vault, mail.id)
            look(watched, token, None, "request")
            open_page(watched, token, None, "1960-03-01", None, "request")


def _sweep(watched: Context, quiet: Context) -> None:
    """A worker died, a pause is over, referrals are to be answered by now."""
    for number in range(2):
        submit(watched, person(90_000_000 + number))
    with quiet.database.write() as connection:
        ledger.claim(connection, "validate", 1, 60)
        ledger.pause(connection, "receipts", "resting", 60)
        connection.execute(update(Referral).where(Referral.remind_at.is_not(None)).values(remind_at=utc_now()))
    expire_leases(quiet.database)
    end_pauses(quiet.database)
    run_sweep(watched)
    expire_referrals(quiet.database)
    run_sweep(watched)
    drain(watched, transport=transport())


def _nobody(_lane: str) -> None:
    """Is woken."""


def is_allowed(scan: Scan) -> bool:
    if scan.table == Job.__tablename__:
        return any(words in scan.statement for words in OF_THE_WHOLE_BACKLOG)
    counted = any(scan.table == name and words in scan.statement for name, words in COUNTED_BY_STATUS)
    return counted or scan.table in SMALL


@pytest.mark.parametrize("mode", ["auto", "force_generic_plan"])
def test_no_statement_that_is_run_all_the_time_reads_a_big_table_from_end_to_end(
    filled: Installation, mode: str
) -> None:
    explain_everything(filled.database_url, plan_cache_mode=mode)
    watched = filled.context()
    with captured(watched) as plans:
        live(watched, filled.context(), 1000 if mode == "auto" else 2000)
    assert_nothing_is_missing(plans)
    found = sorted(str(scan) for scan in plans.scans if not is_allowed(scan))
    assert not found, "\n".join(found)


def assert_nothing_is_missing(plans: Plans) -> None:
    """That the plans of every part of it were seen."""
    for words in (
        "UPDATE job SET attempts",
        "AS (SELECT lane, source, mark FROM v)",
        "FROM lane_pause",
        "audit_tile",
        "INTO mail_event",
        "secure_link",
        "heartbeat",
    ):
        assert any(words in statement for statement in plans.statements), words


@pytest.fixture(scope="module")
def filled(
    tmp_path_factory: pytest.TempPathFactory, keys_dir: Path, postgres: PostgresServer, postgresql_template: str
) -> Iterator[Installation]:
    url = copy_database(postgres, postgresql_template)
    installation = Installation(tmp_path_factory.mktemp("plans"), keys_dir, url)
    fill(installation.context())
    yield installation
    installation.close()
    drop_database(postgres, url)
