import json
from pathlib import Path

from config.settings import ROOT
from pipeline.audit import actions
from pipeline.audit.verify import verify_events
from pipeline.operations.quarantine import list_quarantined, remap
from pipeline.status import SubmissionStatus
from tests.config.shipped import ANSWERS
from tests.pipeline.operations.work import unreadable
from tests.support.installations import Installation
from tests.support.submissions import submit
from tests.support.work import actions_about, drain, jobs, status_of

STAFF = actions.staff("ana")
RENAMED = json.dumps(
    {"payload": {"data": {f"New {name}": value for name, value in ANSWERS.items()}}}, ensure_ascii=False
).encode()


def corrected(folder: Path) -> Path:
    """`sources.yaml` with the form's new field names."""
    path = folder / "sources.yaml"
    fields = "".join(f'      {name}: "New {name}"\n' for name in ANSWERS)
    path.write_text(
        "sources:\n  - id: webflow-site\n    adapter: webflow\n"
        f'    secrets: ["env:CAREROUTE_SOURCE_WEBFLOW_SITE_SECRET"]\n    fields:\n{fields}'
    )
    return path


def test_after_the_mapping_is_corrected_a_remapped_submission_goes_the_whole_way(installation: Installation) -> None:
    context = installation.context(sources_file=ROOT / "config" / "sources.yaml")
    kept = unreadable(context, RENAMED)
    with context.database.read() as connection:
        (waiting,) = list_quarantined(connection)
    assert (waiting.reference, waiting.source, waiting.reason) == (kept.reference, "webflow-site", "no_known_field")

    context = installation.context(sources_file=corrected(installation.folder))
    assert remap(context.database, context.keys, STAFF, [kept.submission_id]) == (kept.submission_id,)
    drain(context)

    assert status_of(context, kept.submission_id) is SubmissionStatus.CANDIDATE
    assert actions_about(context, kept.submission_id)[:7] == [
        "submission:received",
        "submission:quarantined",
        "submission:remapped",
        "submission:validated",
        *["consent:given"] * 2,
        "email:queued",
    ]
    with context.database.snapshot() as connection:
        assert list_quarantined(connection) == []
        assert verify_events(connection, context.keys).findings == ()


def test_what_still_cannot_be_read_comes_back(installation: Installation) -> None:
    context = installation.context()
    kept = unreadable(context)
    assert remap(context.database, context.keys, STAFF, [kept.submission_id]) == (kept.submission_id,)
    drain(context)
    assert status_of(context, kept.submission_id) is SubmissionStatus.QUARANTINED
    with context.database.read() as connection:
        assert [each.submission_id for each in list_quarantined(connection, source="webflow-site")] == [
            kept.submission_id
        ]
        assert list_quarantined(connection, source="network-site") == []


def test_only_what_is_in_quarantine_is_remapped(installation: Installation) -> None:
    context = installation.context()
    kept = submit(context)
    drain(context, "validate")
    assert remap(context.database, context.keys, STAFF, [kept.submission_id]) == ()
    assert status_of(context, kept.submission_id) is SubmissionStatus.VALID
    assert jobs(context.database, "validate") == []
