import hashlib
import uuid

import pytest

from pipeline.audit.log_state import current_log, latest_checkpoint
from pipeline.audit.proving import NotProvable, Proof, prove, records_of
from pipeline.models import AuditPending, Submission
from tests.pipeline.audit.conftest import Evidence
from tests.support.work import table


def proof_of(evidence: Evidence, event_id: uuid.UUID) -> Proof:
    with evidence.context.database.snapshot() as connection:
        log = current_log(connection)
        assert log is not None
        return prove(connection, log, latest_checkpoint(connection, log.number), event_id)


def test_a_proof_is_of_the_records_leaf_and_small(evidence: Evidence) -> None:
    records = evidence.attacker.records()
    for leaf in (0, 255, 256, evidence.anchored_size - 1):
        proof = proof_of(evidence, records[leaf]["id"])
        assert (proof.leaf, hashlib.sha256(b"\0" + proof.record).digest()) == (leaf, records[leaf]["leaf_hash"])
        # Ten million leaves have a path of 24 hashes.
        missing = 24 - (len(proof.text.partition("\n\n")[0].splitlines()) - 2)
        assert len(proof.text) + missing * 45 < 2048


def test_what_is_not_signed_yet_is_told_so(evidence: Evidence) -> None:
    in_log = evidence.attacker.records()[evidence.anchored_size]["id"]
    (waiting,) = table(evidence.context.database, AuditPending.table())
    for event_id in (in_log, waiting.event_id):
        with pytest.raises(NotProvable, match="a minute at most"):
            proof_of(evidence, event_id)


def test_what_is_not_what_was_signed_is_not_proven(evidence: Evidence) -> None:
    changed, gone = evidence.attacker.records()[7:9]
    evidence.attacker.edit(changed, with_keys=True, actor="staff:nobody")
    evidence.attacker.remove(gone)
    for event in (changed, gone):
        with pytest.raises(NotProvable, match="is not what was signed"):
            proof_of(evidence, event["id"])


def test_records_are_found_by_their_id_or_by_their_submissions_id_or_reference(evidence: Evidence) -> None:
    head = table(evidence.context.database, Submission.table())[0]
    of_it = [each for each in evidence.attacker.records() if each["submission_id"] == head.id]
    expected = [each["id"] for each in sorted(of_it, key=lambda each: each["seq"])]
    with evidence.context.database.snapshot() as connection:
        for name in (str(head.id), head.reference, f" {head.reference.lower().removeprefix('cr-')}"):
            assert records_of(connection, name) == expected
        assert records_of(connection, str(expected[2])) == [expected[2]]
        assert records_of(connection, "nothing") == []
