import datetime as dt
from typing import Any

import pytest

from config.providers import ProviderDocument
from pipeline.audit import actions
from pipeline.context import Context
from pipeline.db import utc_now
from pipeline.operations.provider_changes import Preview, Scheduled, preview
from pipeline.providers import publish
from pipeline.unit_of_work import begin
from tests.pipeline.scoring.network_files import program, provider
from tests.support.networks import fitting, put_in_force

AGE = {"age": {"at_least": 21, "at_most": 80}}
SEVERITY = {"question": "severity", "at_least": 3}
TREATED = {"id": "treated", "any": [SEVERITY, {"question": "prior_treatments", "overlaps": ["surgery"]}]}


def look(context: Context, *documents: ProviderDocument, at: dt.datetime | None = None) -> Preview:
    with context.database.read() as connection:
        return preview(connection, documents, at)


def put(context: Context, *documents: ProviderDocument, at: dt.datetime) -> None:
    with begin(context.database, context.keys, actions.staff("ana")) as unit:
        publish(unit, documents, at)


def kinds(found: Preview) -> list[tuple[str, str]]:
    return [(change.provider_id, change.kind) for change in found.changes]


def test_what_is_shown_is_what_publishing_then_does(context: Context, network: tuple[ProviderDocument, ...]) -> None:
    assert look(context, *network).changes == ()
    gone, renamed, *rest = network
    renamed = renamed.model_copy(update={"name": "Another name"})
    new = gone.model_copy(update={"id": "new-one"})
    wanted = [renamed, *rest, new]
    shown = look(context, *wanted)
    assert sorted(kinds(shown)) == sorted([(gone.id, "retired"), (renamed.id, "changed"), ("new-one", "added")])
    lines = {change.kind: change.lines for change in shown.changes}
    assert lines["changed"] == (f'name: "{network[1].name}" → "Another name"',)
    assert lines["added"][0].startswith(f"{new.name}: {new.programs[0].kind} {new.programs[0].id}")

    with begin(context.database, context.keys, actions.staff("ana")) as unit:
        done = publish(unit, wanted, seen=shown.compared_with)
    assert (done.added, done.changed, done.retired) == (("new-one",), (renamed.id,), (gone.id,))
    assert look(context, *wanted).changes == ()
    assert (gone.id, "added") in kinds(look(context, *wanted, gone))


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ([AGE], [{"age": {"at_least": 18, "at_most": 80}}], ["require / age / at_least: 21 → 18"]),
        ([AGE], [{"age": {"at_least": 21}}], ["require / age / at_most: 80 → not set"]),
        ([AGE, SEVERITY], [SEVERITY], ["require: removed {age: {at_least: 21, at_most: 80}}"]),
        ([AGE], [SEVERITY, AGE], ["require: added {question: severity, at_least: 3}"]),
        (
            [AGE, TREATED],
            [TREATED | {"any": [{"question": "severity", "at_least": 4}, TREATED["any"][1]]}, AGE],
            ["require / treated / any / severity / at_least: 3 → 4"],
        ),
        ([AGE, SEVERITY], [SEVERITY, AGE], ["require: order age severity → severity age"]),
        (
            [{"question": "condition", "one_of": ["fibromyalgia", "lupus"]}],
            [{"question": "condition", "one_of": ["lupus", "parkinsons_disease"]}],
            [
                'require / condition / one_of: removed "fibromyalgia"',
                'require / condition / one_of: added "parkinsons_disease"',
            ],
        ),
        ([{"any": [AGE, SEVERITY]}], [{"any": [AGE]}], ["require / any: removed {question: severity, at_least: 3}"]),
    ],
)
def test_a_coordinator_reads_which_criterion_differs_and_how(
    sqlite_context: Context, before: list[dict[str, Any]], after: list[dict[str, Any]], lines: list[str]
) -> None:
    put_in_force(sqlite_context, provider(program(before)))
    (change,) = look(sqlite_context, provider(program(after))).changes
    assert list(change.lines) == [f"programs / clinic / {line}" for line in lines]


def test_lists_differ_by_what_was_added_and_removed_and_long_texts_are_shortened(sqlite_context: Context) -> None:
    expiry = {"name": "License", "number": "TX-1", "expires_on": "2027-01-31"}
    put_in_force(sqlite_context, fitting("a", licensed_in=["US-TX", "US-OK"], credentials=[expiry]))
    other = fitting(
        "a",
        name="n" * 500,
        licensed_in=["US-OK", "US-NM"],
        credentials=[expiry | {"expires_on": "2029-01-31"}],
        availability={"paused": True},
    )
    (change,) = look(sqlite_context, other).changes
    name, *rest = change.lines
    assert (name[:14], name[-1], len(name) < 130) == ('name: "a" → "n', "…", True)
    assert sorted(rest) == [
        "availability: added {paused: true}",
        'credentials / TX-1 / expires_on: "2027-01-31" → "2029-01-31"',
        'licensed_in: added "US-NM"',
        'licensed_in: removed "US-TX"',
    ]


def test_a_scheduled_change_is_compared_with_its_own_time_and_warns_of_what_comes_after(context: Context) -> None:
    soon, later = (utc_now() + dt.timedelta(days=days) for days in (1, 2))
    put_in_force(context, fitting("a", name="old"), fitting("b"))
    put(context, fitting("a", name="soon"), fitting("b"), at=soon)
    put(context, fitting("a", name="later"), fitting("b"), at=later)

    now = look(context, fitting("a", name="soon"), fitting("b"))
    assert [change.lines for change in now.changes] == [('name: "old" → "soon"',)]
    assert now.replaced_later == (Scheduled("a", soon),)
    at_soon = look(context, fitting("a", name="x"), fitting("b"), at=soon)
    assert [change.lines for change in at_soon.changes] == [('name: "soon" → "x"',)]
    assert at_soon.replaced_later == (Scheduled("a", later),)
    assert look(context, fitting("a", name="later"), at=later).replaced_later == ()
