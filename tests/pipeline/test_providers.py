import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, insert
from uuid_utils.compat import uuid7

from config.providers import ProviderDocument, document_digest
from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.context import Context
from pipeline.db import Database, utc_now
from pipeline.models import AuditEvent, ProviderVersion
from pipeline.providers import (
    NetworkInForce,
    PublicationRefused,
    Published,
    current_revision,
    digest_of,
    draft_network,
    publish,
    read_network,
    revision_at,
    versions_in_force,
)
from pipeline.status import SubmissionStatus
from pipeline.unit_of_work import begin
from tests.servers.waiting import eventually
from tests.support.clocks import step_clock
from tests.support.installations import Installation
from tests.support.networks import fitting
from tests.support.racing import at_once
from tests.support.submissions import submit
from tests.support.work import actions_about, drain, status_of, table

MOMENT = dt.timedelta(microseconds=1)
SOON = dt.timedelta(seconds=1)


def put(context: Context, *documents: ProviderDocument, at: dt.datetime | None = None) -> Published:
    with begin(context.database, context.keys, actions.staff("ann")) as unit:
        return publish(unit, documents, at)


def in_force(context: Context, at: dt.datetime | None = None) -> NetworkInForce:
    with context.database.read() as connection:
        return context.networks.current(connection, at)


def names(network: NetworkInForce) -> list[str]:
    return sorted(document.name for document in network.documents.values())


def versions(context: Context, provider_id: str) -> list[int]:
    rows = table(context.database, ProviderVersion.table())
    return sorted(row.version for row in rows if row.provider_id == provider_id)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    engine = database.reader
    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def test_publishing_the_same_again_changes_nothing(context: Context, network: tuple[ProviderDocument, ...]) -> None:
    rows = table(context.database, ProviderVersion.table())
    before = in_force(context)
    assert put(context, *network) == Published()
    assert table(context.database, ProviderVersion.table()) == rows
    assert actions_about(context, None) == ["providers:imported"]
    assert in_force(context) is before
    assert set(before.by_provider) == {document.id for document in network}


def test_a_change_is_a_new_version_and_the_old_one_stays_as_it_was(context: Context) -> None:
    assert put(context, fitting("a"), fitting("b")).added == ("a", "b")
    before = table(context.database, ProviderVersion.table())
    old = in_force(context)
    assert put(context, fitting("a"), fitting("b", name="B"), fitting("c")) == Published(("c",), ("b",))
    assert versions(context, "b") == [1, 2]
    assert set(before) <= set(table(context.database, ProviderVersion.table()))
    new = in_force(context)  # noticed without a restart
    assert new.digest != old.digest
    assert (new.revision, new.network.revision) == (old.revision + 1, old.revision + 1)
    assert [new.by_provider[each].name for each in ("a", "b", "c")] == ["a", "B", "c"]


def test_whoever_is_no_longer_in_the_file_is_retired_and_may_come_back(context: Context) -> None:
    put(context, fitting("a"), fitting("b"))
    assert put(context, fitting("a")) == Published(retired=("b",))
    assert in_force(context).document_of("b") is None
    assert put(context, fitting("a")) == Published()
    assert put(context, fitting("a"), fitting("b")) == Published(added=("b",))
    assert versions(context, "b") == [1, 2, 3]
    assert in_force(context).document_of("b") == fitting("b")
    assert in_force(context).document_of(None) is None


def test_a_scheduled_version_takes_effect_at_its_time_in_every_process(installation: Installation) -> None:
    publisher, worker = installation.context(), installation.context()
    put(publisher, fitting("a", name="old"))
    assert names(in_force(worker)) == ["old"]
    tomorrow = utc_now() + dt.timedelta(days=1)
    assert put(publisher, fitting("a", name="new"), at=tomorrow).effective_at == tomorrow

    assert names(in_force(worker)) == names(in_force(worker, tomorrow - MOMENT)) == ["old"]
    assert names(in_force(worker, tomorrow)) == ["new"]
    assert names(in_force(worker)) == ["old"]  # having looked ahead changes nothing

    put(publisher, fitting("a", name="soon"), at=utc_now() + SOON)
    in_force(worker)  # and keeps what it found
    assert eventually(lambda: names(in_force(worker)) == names(in_force(publisher)) == ["soon"])


def test_a_process_whose_clock_is_behind_the_first_publication_refers_all_the_same(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = submit(installation.context())
    step_clock(monkeypatch, -dt.timedelta(hours=1))
    context = installation.context()
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    assert Action.REFERRAL_OFFERED in actions_about(context, kept.submission_id)


def test_what_is_published_now_holds_until_what_was_scheduled_before(context: Context) -> None:
    later = utc_now() + dt.timedelta(days=3)
    put(context, fitting("a", name="old"))
    put(context, fitting("a", name="later"), at=later)
    put(context, fitting("a", name="now"))
    assert versions(context, "a") == [1, 2, 3]
    assert (names(in_force(context)), names(in_force(context, later))) == (["now"], ["later"])

    # For the same time again: what was scheduled is taken back.
    assert put(context, fitting("a", name="now"), at=later) == Published(changed=("a",))
    assert names(in_force(context, later)) == ["now"]


def test_nothing_is_published_for_a_time_that_has_passed(context: Context) -> None:
    rows, revision = table(context.database, ProviderVersion.table()), in_force(context).revision
    with pytest.raises(PublicationRefused, match="has passed"):
        put(context, fitting("a"), at=utc_now() - dt.timedelta(seconds=1))
    assert table(context.database, ProviderVersion.table()) == rows
    assert in_force(context).revision == revision


def test_nothing_is_published_over_what_nobody_saw(context: Context) -> None:
    tomorrow = utc_now() + dt.timedelta(days=1)
    put(context, fitting("a", name="old"), fitting("gone"))
    put(context, fitting("a", name="old"))
    with context.database.read() as connection:
        seen = digest_of(versions_in_force(connection, utc_now()))
    assert seen == in_force(context).digest
    put(context, fitting("a", name="scheduled"), at=tomorrow)
    revision = in_force(context).revision

    def publish_over(seen: str, at: dt.datetime | None = None) -> Published:
        with begin(context.database, context.keys, actions.staff("ann")) as unit:
            return publish(unit, [fitting("a", name="mine")], at, seen)

    with pytest.raises(PublicationRefused, match="has changed since"):
        publish_over(seen, tomorrow)
    assert in_force(context).revision == revision
    assert publish_over(seen).changed == ("a",)  # what is scheduled for later was not compared with
    with pytest.raises(PublicationRefused, match="has changed since"):
        publish_over(seen)

    # No revision more, and yet another network: the version that was scheduled is in force by then.
    seen = in_force(context).digest
    put(context, fitting("a", name="soon"), at=utc_now() + SOON)
    revision = in_force(context).revision
    assert eventually(lambda: names(in_force(context)) == ["soon"])
    with pytest.raises(PublicationRefused, match="has changed since"):
        publish_over(seen)
    assert in_force(context).revision == revision


def a_moment_that_passes() -> dt.datetime:
    """Now, and over when this returns: the clock of SQLite shows milliseconds."""
    moment = utc_now()
    time.sleep(0.005)
    return moment


def test_as_long_as_nothing_changes_one_short_statement_is_all_it_costs(context: Context) -> None:
    put(context, fitting("a", name="old"))
    past = a_moment_that_passes()
    put(context, fitting("a", name="new"))
    later = utc_now() + dt.timedelta(days=9)
    put(context, fitting("a", name="later"), at=later)
    held = in_force(context)
    assert names(in_force(context, later)) == ["later"]
    assert names(in_force(context, past)) == ["old"]
    with statements(context.database) as asked:
        assert in_force(context) is held
    (statement,) = [each for each in asked if "BEGIN" not in each]
    assert " ".join(statement.split()).endswith(" FROM network_revision")


def test_a_revision_and_a_time_name_the_same_versions_for_ever(context: Context) -> None:
    put(context, fitting("a", name="one"), fitting("b"))
    at = a_moment_that_passes()
    put(context, fitting("c"), at=at + dt.timedelta(days=1))
    with context.database.read() as connection:
        revision = revision_at(connection, at)
        before = read_network(connection, at, revision)
        assert (revision, current_revision(connection)) == (2, 3)
    put(context, fitting("a", name="two"), fitting("d"))
    put(context, fitting("a", name="three"))
    with context.database.read() as connection:
        assert revision_at(connection, at) == revision
        assert revision_at(connection, at - dt.timedelta(days=365)) == 0
        after = read_network(connection, at, revision)
        assert names(read_network(connection, at + dt.timedelta(days=1), revision)) == ["b", "one"]
    assert (after.digest, after.documents, after.revision) == (before.digest, before.documents, revision)


def test_imports_at_once_go_one_after_the_other(postgresql_installation: Installation) -> None:
    contexts = [postgresql_installation.context() for _ in range(4)]
    done = at_once(4, lambda number: put(contexts[number], fitting("a", name=f"{number}"), fitting(f"only-{number}")))
    context = contexts[0]
    rows = table(context.database, ProviderVersion.table())
    assert versions(context, "a") == [1, 2, 3, 4]
    assert all(done)
    revisions = sorted({row.revision for row in rows if row.provider_id == "a"})
    assert revisions == [2, 3, 4, 5] == sorted({row.revision for row in rows} - {1})
    # Each compared with the one before: whoever came last is the network, and nothing of the others is left.
    last = max(rows, key=lambda row: (row.revision, row.provider_id == "a"))
    name = ProviderDocument.model_validate_json(last.document).name
    assert set(in_force(context).by_provider) == {"a", f"only-{name}"}
    times = [row.effective_at for row in sorted(rows, key=lambda row: row.revision)]
    assert times == sorted(times)


def test_versions_of_the_first_release_are_in_force_and_published_over(context: Context) -> None:
    held = fitting("a", name="old")
    written = {
        "id": uuid7(),
        "provider_id": "a",
        "version": 1,
        "digest": document_digest(held),
        "document": held.model_dump_json(),
        "effective_at": utc_now(),
        "imported_at": utc_now(),
    }
    with context.database.write() as connection:
        connection.execute(insert(ProviderVersion.table()), written)
    assert in_force(context).by_provider["a"].name == "old"
    with context.database.read() as connection:
        assert read_network(connection, utc_now(), 0).document_of("a") == held
    put(context, fitting("a", name="new"))
    assert (names(in_force(context)), versions(context, "a")) == (["new"], [1, 2])


def test_a_publication_is_on_record_with_its_revision_and_time(context: Context) -> None:
    at = utc_now() + dt.timedelta(days=1)
    put(context, fitting("a"), at=at)
    last = max((row for row in table(context.database, AuditEvent.table())), key=lambda row: row.seq)
    assert (last.actor, last.action) == ("staff:ann", "providers:imported")
    assert f'"effective_at":"{at.isoformat()}"' in last.details
    assert '"network_revision":2' in last.details


def test_a_draft_is_a_network_whose_ids_follow_from_what_it_says() -> None:
    one, same, other = (draft_network([fitting("a", name=name)]) for name in ("x", "x", "y"))
    assert one.digest == same.digest != other.digest
    assert one.network.revision == 0
