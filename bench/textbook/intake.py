"""Keeping a submission: one transaction, as Careroute's, without the job."""

import uuid

from uuid_utils.compat import uuid7

from bench.textbook.step import step
from pipeline.audit import actions
from pipeline.audit.actions import Action, Detail
from pipeline.context import Context
from pipeline.intake.accept import Arrival
from pipeline.models import DataKey, IntakeKey, SealedDocument, Submission
from pipeline.status import SubmissionStatus
from pipeline.submission import Part, new_reference


def accept(context: Context, arrival: Arrival) -> uuid.UUID:
    """Keep a first arrival with a vendor id; the broker is told by the caller, after the commit."""
    submission_id, index = uuid7(), context.vault.blind_index
    key_index, body_index = index("vendor_id", f"{arrival.source}\0{arrival.vendor_id}"), index("body", arrival.body)
    with step(context, actions.source(arrival.source), submission_id) as taken:
        if taken.session.get(IntakeKey, (arrival.source, "vendor_id", key_index)) is not None:
            raise ValueError("the benchmark sends nothing twice")
        key, wrapped = context.vault.new_data_key(submission_id)
        submission = Submission(
            id=submission_id,
            reference=new_reference(),
            source=arrival.source,
            status=SubmissionStatus.RECEIVED.value,
            status_changed_at=taken.now,
            audit_seq=0,
            received_at=taken.now,
            screening_version=context.screening.version,
        )
        sealed = key.seal(Part.BODY, arrival.body)
        taken.session.add(submission)
        taken.session.flush()
        taken.session.add_all(
            (
                DataKey(submission_id=submission_id, wrapped_key=wrapped),
                SealedDocument(submission_id=submission_id, part=Part.BODY.value, ciphertext=sealed),
                IntakeKey(
                    source=arrival.source,
                    kind="vendor_id",
                    key_index=key_index,
                    body_index=body_index,
                    submission_id=submission_id,
                ),
            )
        )
        taken.record(submission, Action.SUBMISSION_RECEIVED, {Detail.SOURCE: arrival.source})
    return submission_id
