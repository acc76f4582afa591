"""`evidence`: a log of two anchored checkpoints, with leaves and a record after them, in a copy that may be harmed.

It is made once for each database; whatever a test does to it is undone.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.audit.tiles import TILE_WIDTH
from pipeline.context import Context
from pipeline.unit_of_work import begin
from tests.pipeline.audit.attacker import Attacker, Rows
from tests.support.installations import SQLITE_FILE, Installation, copy_database, drop_database
from tests.support.log import sequence, sequencer
from tests.support.submissions import person, submit
from tests.support.work import drain


@dataclass(frozen=True, slots=True)
class Evidence:
    """A context, an attacker of its database, and what was there at the first checkpoint and at the end.

    `first_size` and `anchored_size` are those of the two checkpoints; the log has more leaves, and one record waits.
    """

    context: Context
    attacker: Attacker
    at_first: Rows
    whole: Rows
    first_size: int
    anchored_size: int


def build(installation: Installation) -> Evidence:
    context = installation.context()
    submit(context, person(0))
    drain(context)
    first = sequence(context)
    attacker = Attacker(context)
    at_first = attacker.copy()
    submit(context, person(1))
    drain(context)
    record(context, TILE_WIDTH)
    anchored = sequence(context)
    record(context, 3)
    while sequencer(context).turn():
        pass
    record(context, 1)
    assert first is not None
    assert anchored is not None
    return Evidence(context, attacker, at_first, attacker.copy(), first.size, anchored.size)


def record(context: Context, count: int) -> None:
    """Some records about no submission."""
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        for number in range(count):
            unit.record(None, Action.PROVIDERS_REHEARSED, {Detail.CHANGED: number})


@pytest.fixture(scope="module")
def sqlite_evidence(
    tmp_path_factory: pytest.TempPathFactory, keys_dir: Path, sqlite_template: Path
) -> Iterator[Evidence]:
    folder = tmp_path_factory.mktemp("evidence")
    shutil.copyfile(sqlite_template, folder / SQLITE_FILE)
    installation = Installation(folder, keys_dir, "")
    yield from _lent(installation)


@pytest.fixture(scope="module")
def postgresql_evidence(
    tmp_path_factory: pytest.TempPathFactory, keys_dir: Path, request: pytest.FixtureRequest
) -> Iterator[Evidence]:
    postgres = request.getfixturevalue("postgres")
    url = copy_database(postgres, request.getfixturevalue("postgresql_template"))
    yield from _lent(Installation(tmp_path_factory.mktemp("evidence"), keys_dir, url))
    drop_database(postgres, url)


def _lent(installation: Installation) -> Iterator[Evidence]:
    evidence = build(installation)
    yield evidence
    evidence.attacker.database.dispose()
    installation.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def evidence(request: pytest.FixtureRequest) -> Iterator[Evidence]:
    found: Evidence = request.getfixturevalue(f"{request.param}_evidence")
    anchors = found.context.settings.effective_anchor_dir
    there = {path: path.read_bytes() for path in anchors.rglob("*.checkpoint")}
    yield found
    found.attacker.restore(found.whole)
    for path in anchors.rglob("*.checkpoint"):
        if path not in there:
            path.unlink()
    for path, note in there.items():
        path.write_bytes(note)
