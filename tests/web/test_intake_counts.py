"""Per source and outcome, how many and when last."""

import pytest
from sqlalchemy.exc import OperationalError

from pipeline.context import Context
from pipeline.db import Database, utc_now
from pipeline.models import SourceTally
from tests.support.racing import at_once
from tests.support.submissions import answers, body
from tests.support.work import table
from tests.web.real_app import RealApp, webflow_body
from web.tally import ACCEPTED, UNKNOWN_SOURCE, Tally, refused


def counts(database: Database) -> dict[tuple[str, str], int]:
    return {(row.source, row.outcome): row._mapping["count"] for row in table(database, SourceTally.table())}


def test_every_arrival_is_counted_by_source_and_outcome_and_strangers_make_no_rows(context: Context) -> None:
    app = RealApp(context)
    for number in range(3):
        app.push(b"{", authorization=f"Bearer guess-{number}")
        app.hook(b"{}", source=f"guess-{number}")
    app.push(body(answers()), idempotency_key="a")
    app.push(body(answers()), idempotency_key="a")
    app.push(body(answers(severity=1)), idempotency_key="a")
    app.push(b"{")
    app.push(body(answers(condition="x")))
    app.hook(webflow_body(answers()))
    app.hook(b"{}", age_seconds=1000)
    app.hook(b"{}", x_webflow_signature="0")
    app.tally.flush()
    assert counts(context.database) == {
        (UNKNOWN_SOURCE, "refused:unknown-sender"): 3,
        (UNKNOWN_SOURCE, "refused:unknown-source"): 3,
        ("network-site", "accepted"): 1,
        ("network-site", "repeated"): 1,
        ("network-site", "refused:idempotency-key-reused"): 1,
        ("network-site", "refused:not_json"): 1,
        ("network-site", "refused:invalid"): 1,
        ("webflow-site", "accepted"): 1,
        ("webflow-site", "refused:stale_timestamp"): 1,
        ("webflow-site", "refused:wrong_signature"): 1,
    }


def test_processes_add_up_and_the_latest_time_counts(context: Context) -> None:
    started = utc_now()

    def one_process(number: int) -> None:
        tally = Tally(context.database, {"a", "b"})
        for source in ("a", "b")[:: 1 if number % 2 else -1]:
            tally.count(source, ACCEPTED)
            tally.count(source, refused("invalid"))
        tally.start()
        tally.close()

    at_once(4, one_process)
    assert set(counts(context.database).values()) == {4}
    assert all(row.last_at >= started for row in table(context.database, SourceTally.table()))


def test_what_could_not_be_written_stays_counted(sqlite_context: Context) -> None:
    tally = Tally(Database("sqlite:////nowhere/at/all.db"), {"a"})
    tally.count("a", ACCEPTED)
    with pytest.raises(OperationalError):
        tally.flush()
    tally.count("a", ACCEPTED)
    tally._database = sqlite_context.database
    tally.flush()
    tally.flush()
    assert counts(sqlite_context.database) == {("a", ACCEPTED): 2}
