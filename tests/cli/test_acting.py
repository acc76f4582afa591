import json

import pytest

from pipeline.status import EmailStatus
from tests.cli.conftest import Careroute
from tests.pipeline.operations.test_quarantine import RENAMED, corrected
from tests.pipeline.operations.work import dead_email, set_email_status, unreadable
from tests.support.installations import Installation
from tests.support.work import drain, emails, status_of


def test_a_dead_letter_is_listed_retried_and_sent(careroute: Careroute, sqlite_installation: Installation) -> None:
    context = sqlite_installation.context()
    kept = dead_email(context)
    (letter,) = json.loads(careroute("jobs", "list", "--json").stdout)
    assert (letter["lane"], letter["submission_id"]) == ("email", str(kept.submission_id))
    assert "email" in careroute("jobs", "list").stdout

    result = careroute("jobs", "retry", str(letter["id"]))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("1 queued again")
    drain(context, "email")
    assert emails(context, kept.submission_id) == [("confirmation", "person", "handed_over")]
    assert careroute("jobs", "list").stdout == "No dead letters.\n"
    assert careroute("audit", "verify").exit_code == 0


def test_an_uncertain_email_is_a_finding_until_somebody_decides(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    set_email_status(context, dead_email(context).submission_id, EmailStatus.UNCERTAIN)
    result = careroute("jobs", "retry", "--lane", "email")
    assert result.exit_code == 1
    assert "may have been sent" in result.stderr
    assert careroute("jobs", "retry", "--all", "--resend-uncertain").exit_code == 0


def test_discarding_needs_a_reason(careroute: Careroute, sqlite_installation: Installation) -> None:
    kept = dead_email(sqlite_installation.context())
    assert careroute("jobs", "discard", "--all").exit_code == 2
    assert careroute("jobs", "discard", "--all", "--reason", " ").exit_code == 2
    assert careroute("jobs", "discard", "--all", "--reason", "address is gone").exit_code == 0
    last = json.loads(careroute("show", kept.reference, "--json").stdout)["timeline"][-1]
    assert (last["action"], last["reason"]) == ("job:discarded", "address is gone")
    assert last["actor"].startswith("staff:")


def test_quarantine_is_listed_and_remapped_after_the_mapping_is_corrected(
    careroute: Careroute, sqlite_installation: Installation
) -> None:
    context = sqlite_installation.context()
    kept, other = unreadable(context, RENAMED), unreadable(context)
    waiting = json.loads(careroute("quarantine", "list", "--json").stdout)
    assert [each["reference"] for each in waiting] == [kept.reference, other.reference]

    assert careroute("quarantine", "remap", kept.reference).exit_code == 0
    context = sqlite_installation.context(sources_file=corrected(sqlite_installation.folder))
    drain(context)
    assert status_of(context, kept.submission_id) == "candidate"
    assert status_of(context, other.submission_id) == "quarantined"
    again = careroute("quarantine", "remap", kept.reference, other.reference)
    assert (again.exit_code, f"not in quarantine: {kept.reference}" in again.stderr) == (1, True)
    assert careroute("quarantine", "remap", "--source", "webflow-site").exit_code == 0
    assert careroute("quarantine", "list").stdout == "Nothing is in quarantine.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs", "retry"),
        ("jobs", "retry", "7", "--all"),
        ("jobs", "retry", "seven"),
        ("jobs", "discard", "--lane", "email", "--all", "--reason", "x"),
        ("quarantine", "remap"),
        ("quarantine", "remap", "CR-0000-0000", "--source", "webflow-site"),
        ("worker", "--lanes", " , "),
        ("submit", "nowhere.json"),
        ("show",),
        ("no-such-command",),
    ],
)
def test_wrong_use_is_2_and_leaves_stdout_empty(careroute: Careroute, arguments: tuple[str, ...]) -> None:
    result = careroute(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
