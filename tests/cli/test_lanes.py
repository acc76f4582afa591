import datetime as dt
import json

import pytest

from pipeline.db import Database, utc_now
from pipeline.lane_names import LANE_NAMES
from pipeline.models import AuditEvent, LanePause
from tests.cli.conftest import Careroute
from tests.support.installations import Installation
from tests.support.submissions import submit
from tests.support.work import drain, engine, run_sweep, statuses, table


def records(database: Database) -> list[tuple[str, str, str | None, dict[str, str]]]:
    """Kind of actor, action, reason and details of what is on record about lanes, oldest first."""
    rows = sorted(
        (row for row in table(database, AuditEvent.table()) if row.submission_id is None), key=lambda r: r.seq
    )
    found = [(row.actor.split(":")[0], row.action, row.reason, json.loads(row.details)) for row in rows]
    return [each for each in found if each[1].startswith("lane:")]


def test_a_lane_rests_until_somebody_resumes_it_on_record(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    paused = careroute("lanes", "pause", "validate", "--reason", "mapping is being corrected")
    assert (paused.exit_code, paused.stdout) == (0, "")
    submit(context)
    run_sweep(context)
    assert engine(context).drain("validate") == 0
    listed = {each.pop("lane"): each for each in json.loads(careroute("lanes", "list", "--json").stdout)}
    assert list(listed) == list(LANE_NAMES)
    assert (listed["validate"]["reason"], listed["validate"]["until"]) == ("mapping is being corrected", None)
    assert [lane for lane, each in listed.items() if each["state"] == "rests"] == ["validate"]
    assert "mapping is being corrected" in " ".join(careroute("lanes", "list").stdout.split())
    refused = careroute("lanes", "pause", "validate", "--for", "2h", "--reason", "shorter")
    assert (refused.exit_code, "rests already" in refused.stderr) == (1, True)

    resumed = careroute("lanes", "resume", "validate", "--reason", "mapping is corrected")
    assert (resumed.exit_code, "workers look every" in resumed.stderr) == (0, True)
    assert careroute("lanes", "resume", "validate").exit_code == 1
    drain(context)
    assert statuses(context) == {"candidate": 1}
    assert records(context.database) == [
        ("staff", "lane:paused", "mapping is being corrected", {"lane": "validate"}),
        ("staff", "lane:resumed", "mapping is corrected", {"lane": "validate"}),
    ]
    assert "rests" not in careroute("lanes", "list").stdout
    assert careroute("audit", "verify").exit_code == 0


def test_a_pause_with_an_end_ends_by_itself(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    assert careroute("lanes", "pause", "email", "--for", "30m", "--reason", "key is being replaced").exit_code == 0
    (pause,) = table(context.database, LanePause.table())
    ends = utc_now() + dt.timedelta(minutes=30)
    assert abs(pause.until - ends) < dt.timedelta(minutes=1)
    ((_, _, _, details),) = records(context.database)
    assert abs(dt.datetime.fromisoformat(details["until"]) - ends) < dt.timedelta(minutes=1)
    assert "careroute lanes resume" not in careroute("status").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause", "emial", "--reason", "x"),
        ("pause", "email"),
        ("pause", "email", "--reason", " "),
        ("pause", "email", "--reason", "x" * 201),
        ("pause", "email", "--reason", "x", "--for", "soon"),
        ("pause", "email", "--reason", "x", "--for", "0m"),
        ("pause", "email", "--reason", "x", "--for", "9999d"),
        ("resume",),
        ("resume", "email", "--reason", " "),
    ],
)
def test_wrong_use_changes_nothing(
    careroute: Careroute, sqlite_installation: Installation, arguments: tuple[str, ...]
) -> None:
    result = careroute("lanes", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert table(sqlite_installation.database(), LanePause.table()) == []
