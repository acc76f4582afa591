"""A new log: what an operator may open after a restore, and nobody with the database alone."""

from sqlalchemy import delete, insert, update

from pipeline.audit import actions
from pipeline.audit.anchors import open_anchors
from pipeline.audit.checkpoints import next_origin
from pipeline.audit.log_state import current_log
from pipeline.audit.reopening import reopen
from pipeline.audit.signing import load_public_keys
from pipeline.audit.verify import Verification, verify_log
from pipeline.audit.verify.opening import open_evidence
from pipeline.db import utc_now
from pipeline.models import AuditEvent, AuditLog, AuditPending, Submission
from pipeline.unit_of_work import begin
from tests.pipeline.audit.conftest import Evidence
from tests.support.log import sequence


def verified(evidence: Evidence) -> Verification:
    return verify_log(evidence.context.database, open_evidence(evidence.context.settings, evidence.context.keys))


def open_by_hand(evidence: Evidence) -> None:
    """As a reopening leaves the tables, but for the record that says so."""
    with evidence.context.database.read() as connection:
        log = current_log(connection)
    assert log is not None
    origin = next_origin(log.origin, 2)
    evidence.attacker.execute(insert(AuditLog).values(number=2, origin=origin, size=0, opened_at=utc_now()))
    evidence.attacker.execute(delete(AuditPending))
    evidence.attacker.execute(
        insert(AuditPending).from_select(["event_id"], AuditEvent.table().select().with_only_columns(AuditEvent.id))
    )


def cut_off_an_anchored_record(evidence: Evidence) -> str:
    """The last one about a submission, with the number that its head remembers."""
    records = [record for record in evidence.attacker.records() if record["submission_id"] is not None]
    (*_, last) = sorted(records, key=lambda record: (record["submission_id"], record["seq"]))
    evidence.attacker.remove(last)
    head = update(Submission).where(Submission.id == last["submission_id"])
    evidence.attacker.execute(head.values(audit_seq=last["seq"] - 1))
    return str(last["id"])


def test_with_the_database_alone_nobody_opens_a_log_without_what_they_want_gone(evidence: Evidence) -> None:
    gone = cut_off_an_anchored_record(evidence)
    open_by_hand(evidence)
    assert sequence(evidence.context) is None
    problems = {finding.about: finding.problem for finding in verified(evidence).findings}
    assert problems["log 2"] == "no record of ours says that it was opened"
    assert problems[gone].startswith("it is gone, and was leaf")


def test_what_an_operator_opens_after_a_restore_is_signed_and_in_order(evidence: Evidence) -> None:
    context = evidence.context
    evidence.attacker.restore(evidence.at_first)
    assert sequence(context) is None
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        public_keys = load_public_keys(context.settings.effective_keys_dir)
        reopen(unit, open_anchors(context.settings).directory, public_keys, "backup of last night")
    assert sequence(context) is not None
    found = verified(evidence)
    assert found.findings == ()
    assert found.lost
