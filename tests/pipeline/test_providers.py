from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.models import ProviderVersion
from pipeline.providers import NetworkInForce, Published, publish
from pipeline.unit_of_work import begin
from tests.support.networks import fitting
from tests.support.work import actions_about, table


def put(context: Context, *documents: ProviderDocument) -> Published:
    with begin(context.database, context.keys, actions.staff("ann")) as unit:
        return publish(unit, documents)


def in_force(context: Context) -> NetworkInForce:
    with context.database.read() as connection:
        return context.networks.current(connection)


def versions(context: Context, provider_id: str) -> list[int]:
    rows = table(context.database, ProviderVersion.table())
    return sorted(row.version for row in rows if row.provider_id == provider_id)


def test_publishing_the_same_again_changes_nothing(context: Context, network: tuple[ProviderDocument, ...]) -> None:
    rows = table(context.database, ProviderVersion.table())
    digest = in_force(context).digest
    assert put(context, *network) == Published()
    assert table(context.database, ProviderVersion.table()) == rows
    assert actions_about(context, None) == ["providers:imported"]
    assert in_force(context).digest == digest
    assert set(in_force(context).by_provider) == {document.id for document in network}


def test_a_change_is_a_new_version_and_the_old_one_stays_as_it_was(context: Context) -> None:
    assert put(context, fitting("a"), fitting("b")).added == ("a", "b")
    before = table(context.database, ProviderVersion.table())
    old = in_force(context)
    assert put(context, fitting("a"), fitting("b", name="B"), fitting("c")) == Published(("c",), ("b",))
    assert versions(context, "b") == [1, 2]
    assert set(before) <= set(table(context.database, ProviderVersion.table()))
    new = in_force(context)  # noticed without a restart
    assert new.digest != old.digest
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
