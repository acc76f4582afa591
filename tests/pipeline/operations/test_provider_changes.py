from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.operations.provider_changes import provider_changes
from pipeline.providers import publish
from pipeline.unit_of_work import begin


def changes(context: Context, documents: list[ProviderDocument]) -> list[tuple[str, str]]:
    with context.database.read() as connection:
        return [(change.provider_id, change.kind) for change in provider_changes(connection, documents)]


def test_what_is_shown_is_what_publishing_then_does(context: Context, network: tuple[ProviderDocument, ...]) -> None:
    assert changes(context, list(network)) == []
    gone, renamed, *rest = network
    renamed = renamed.model_copy(update={"name": "Another name"})
    new = gone.model_copy(update={"id": "new-one"})
    wanted = [renamed, *rest, new]
    shown = changes(context, wanted)
    assert sorted(shown) == sorted([(gone.id, "retired"), (renamed.id, "changed"), ("new-one", "added")])
    with context.database.read() as connection:
        (change,) = [each for each in provider_changes(connection, wanted) if each.kind == "changed"]
    assert change.lines == (f'name: "{network[1].name}" → "Another name"',)

    with begin(context.database, context.keys, actions.staff("ana")) as unit:
        done = publish(unit, wanted)
    assert (done.added, done.changed, done.retired) == (("new-one",), (renamed.id,), (gone.id,))
    assert changes(context, wanted) == []
    assert (gone.id, "added") in changes(context, [*wanted, gone])
