"""Program: `careroute worker` with the writing of audit records replaced by nothing, to measure what that costs."""

import sys
from collections.abc import Mapping
from typing import Any

from cli.app import app
from pipeline.audit.actions import Action, Detail
from pipeline.audit.record import DetailValue
from pipeline.lane_names import JOB_LANES
from pipeline.status import SubmissionStatus, check_submission
from pipeline.unit_of_work import UnitOfWork


def leave_out_records() -> None:
    """Statuses are still checked and written; of records nothing is collected, numbered, hashed or inserted."""

    def transition(
        unit: UnitOfWork,
        submission_id: Any,
        after: SubmissionStatus,
        _action: Action,
        _details: Mapping[Detail, DetailValue] | None = None,
        **_more: Any,
    ) -> None:
        head = unit.heads[submission_id]
        check_submission(head.status, after)
        head.status, head.changed = after, True

    def record(*_entry: Any, **_more: Any) -> None:
        """Leave no trace."""

    UnitOfWork.transition = transition  # type: ignore[method-assign,assignment]
    UnitOfWork.record = record  # type: ignore[method-assign]


if __name__ == "__main__":
    leave_out_records()
    sys.argv[1:] = ["worker", "--lanes", ",".join(JOB_LANES)]
    app()
