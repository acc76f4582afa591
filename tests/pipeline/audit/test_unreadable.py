"""Whatever somebody writes into the rows of the evidence, verification ends, and tells it as a finding."""

from typing import Any

import pytest

from pipeline.audit.actions import Action
from pipeline.audit.verify import Verification, verify_log
from pipeline.audit.verify.findings import COLUMNS_CHANGED, Finding
from pipeline.audit.verify.opening import open_evidence
from pipeline.audit.verify.values import unreadable
from tests.pipeline.audit.conftest import Evidence

VICTIM = 10
FIRST_TILE = "WHERE level = 0 AND tile_index = 0"
BOTH, SQLITE, POSTGRESQL = ("sqlite", "postgresql"), ("sqlite",), ("postgresql",)
EVENT = "UPDATE audit_event SET {change} WHERE id = {victim}"
TILE = f"UPDATE audit_tile SET {{change}} {FIRST_TILE}"

ATTACKS: list[tuple[tuple[str, ...], str, str, str]] = [
    # Where, statement, what it is about (the victim's id where it says so), the problem.
    *(
        (BOTH, f"UPDATE audit_event SET action = '{action}', details = '{details}' WHERE id = {{victim}}", *expected)
        for action, expected in (
            (Action.LOG_ARCHIVED.value, ("{id}", "it is of an archive, and its details do not say which")),
            (Action.LOG_OPENED.value, ("{id}", COLUMNS_CHANGED)),
        )
        for details in ("[]", "not JSON", '{"first_leaf":[1],"end_leaf":{},"digest":"x"}')
    ),
    (BOTH, TILE.format(change="hashes = hashes || {byte}"), "tile 0 of level 0", "it does not have the leaves"),
    (BOTH, TILE.format(change="event_ids = event_ids || {byte}"), "tile 0 of level 0", "it does not have the leaves"),
    (BOTH, TILE.format(change="event_ids = NULL"), "tile 0 of level 0", "it does not have the leaves"),
    (BOTH, TILE.format(change="hashes = {byte}"), "tile 0 of level 0", "it does not have the leaves"),
    (BOTH, "UPDATE audit_log SET size = -1", "log 1", "it says that it has -1 leaves"),
    (BOTH, "UPDATE audit_log SET size = 4000000000000000", "log 1", "it says that it has 4000000000000000 leaves"),
    (POSTGRESQL, "UPDATE audit_log SET opened_at = 'infinity', size = 0", "level 0 of the tiles", "a log of 0"),
    (POSTGRESQL, EVENT.format(change="occurred_at = 'infinity'", victim="{victim}"), "{id}", COLUMNS_CHANGED),
    (POSTGRESQL, EVENT.format(change="occurred_at = '0044-03-15 BC'", victim="{victim}"), "{id}", COLUMNS_CHANGED),
    (SQLITE, "UPDATE audit_log SET size = 'x'", "log 1", "it says that it has 'x' leaves"),
    (SQLITE, "INSERT INTO audit_pending (event_id) VALUES ('zz')", "'zz'", "it is in audit_pending, and is not an id"),
    (SQLITE, "INSERT INTO audit_pending (event_id) VALUES (x'00ff')", "b'\\x00\\xff'", "is not an id"),
    (SQLITE, EVENT.format(change="id = 'zz'", victim="{victim}"), "'zz'", "it is in audit_event, and is not an id"),
    *(
        (SQLITE, EVENT.format(change=change, victim="{victim}"), "{id}", problem)
        for change, problem in (
            ("mac = 'x'", "its MAC is not ours"),
            ("mac = 7", "its MAC is not ours"),
            ("leaf_hash = 'x'", "its leaf hash is not the one in the log"),
            ("details = x'7b7d'", COLUMNS_CHANGED),
            ("occurred_at = 7", COLUMNS_CHANGED),
            ("submission_id = 'zz'", COLUMNS_CHANGED),
            ("seq = 'x'", COLUMNS_CHANGED),
            ("actor = CAST(x'ff' AS TEXT)", COLUMNS_CHANGED),
        )
    ),
    (SQLITE, TILE.format(change="hashes = 'x'"), "tile 0 of level 0", "it does not have the leaves"),
    (SQLITE, TILE.format(change="lowest_event = 'zz'"), "tile 0 of level 0", "its lowest and highest event"),
    (SQLITE, "UPDATE audit_tile SET hashes = 'x' WHERE level = 1", "level 1 of the tiles", "it does not have the"),
    (SQLITE, "UPDATE audit_tile SET tile_index = 'x' WHERE level = 1", "tile 'x' of level 1", "is not a number"),
    (SQLITE, "UPDATE audit_checkpoint SET note = x'ff'", "the checkpoint of size", "it is not text"),
    (SQLITE, "UPDATE audit_checkpoint SET size = 'x' WHERE size > 100", "the checkpoint of size 'x'", "not a number"),
    (
        SQLITE,
        "INSERT INTO audit_archive VALUES (1, 'x', 'y', 'z', 'f', 'd', 'a')",
        "the archive of leaves 'x' to 'y'",
        "its leaves are not numbers",
    ),
]


def verified(evidence: Evidence) -> Verification:
    return verify_log(evidence.context.database, open_evidence(evidence.context.settings, evidence.context.keys))


def attack(evidence: Evidence, statement: str) -> str:
    """Do it; the id of the record that it was done to."""
    victim = evidence.attacker.records()[VICTIM]["id"]
    database = evidence.attacker.database
    literal = victim.hex if database.is_sqlite else str(victim)
    byte = "x'00'" if database.is_sqlite else "'\\x00'::bytea"
    statement = statement.replace("{victim}", f"'{literal}'").replace("{byte}", byte)
    with database.write() as connection:
        if database.is_sqlite and "||" in statement:  # there it makes text
            column = statement.split("SET ")[1].split(" ")[0]
            statement = f"UPDATE audit_tile SET {column} = CAST({column} || x'00' AS BLOB) {FIRST_TILE}"
        assert connection.exec_driver_sql(statement).rowcount >= 1
    return str(victim)


def cases() -> list[Any]:
    return [pytest.param(which, *case, id=f"{which}: {case[0]}"[:90]) for where, *case in ATTACKS for which in where]


@pytest.mark.parametrize(("evidence", "statement", "about", "problem"), cases(), indirect=["evidence"])
def test_what_cannot_be_read_is_a_finding_about_it(
    evidence: Evidence, statement: str, about: str, problem: str
) -> None:
    victim = attack(evidence, statement)
    about = about.replace("{id}", victim)
    found = verified(evidence).findings
    assert [each for each in found if each.about.startswith(about) and problem in each.problem], found


@pytest.mark.parametrize("evidence", ["postgresql"], indirect=True)
def test_a_part_that_cannot_be_read_at_all_does_not_stop_the_others(evidence: Evidence) -> None:
    victim = attack(evidence, EVENT.format(change="actor = 'staff:nobody'", victim="{victim}"))
    with evidence.attacker.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE audit_archive RENAME COLUMN digest TO was_digest")
    try:
        found = verified(evidence)
    finally:
        with evidence.attacker.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE audit_archive RENAME COLUMN was_digest TO digest")
    assert Finding(victim, COLUMNS_CHANGED, VICTIM) in found.findings
    assert Finding("the archives", "this part cannot be read (UndefinedColumn)") in found.findings
    assert found.anchored_size == evidence.anchored_size


def test_what_is_not_about_the_evidence_is_raised() -> None:
    with pytest.raises(ConnectionError):
        unreadable("the tiles", ConnectionError())
    assert unreadable("the tiles", TypeError()).problem == "this part cannot be read (TypeError)"
