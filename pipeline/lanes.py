"""The lanes, as data: what is done, how much at a time, for how long a lease, how often before it is given up."""

from collections.abc import Mapping

from pipeline.context import Context
from pipeline.engine.lane import Lane
from pipeline.stages.deliver import DeliverStage
from pipeline.stages.receive import ReceiveStage
from pipeline.stages.refer import ReferStage
from pipeline.stages.score import ScoreStage
from pipeline.stages.validate import ValidateStage
from pipeline.transports import open_transport

ROOM_SECONDS = 2.0
"""For claiming, writing and marking a slice, within the same lease as its calls."""


def build_lanes(context: Context) -> Mapping[str, Lane]:
    """Every lane of this version, in the order in which a worker that fed several of them serves them.

    Email comes first: the confirmation goes out before the submission is scored. Raises ValueError naming a mail
    setting that cannot work.
    """
    deliver = DeliverStage(context, open_transport(context.settings))
    email = Lane("email", deliver, batch_size=768, lease_seconds=180, maximum_attempts=14)
    lanes = (
        email,
        Lane("score", ScoreStage(context), batch_size=400, lease_seconds=60, maximum_attempts=5),
        Lane("refer", ReferStage(context), batch_size=100, lease_seconds=60, maximum_attempts=5),
        Lane("validate", ValidateStage(context), batch_size=400, lease_seconds=60, maximum_attempts=5),
        Lane("receipts", ReceiveStage(), batch_size=250, lease_seconds=60, maximum_attempts=8),
    )
    lease = context.settings.lease_seconds or email.lease_seconds
    if lease < deliver.shortest_lease_seconds + ROOM_SECONDS:
        raise ValueError(
            f"mail_timeout_seconds: the calls of one slice may take {deliver.shortest_lease_seconds:g} seconds, "
            f"longer than the lease of {lease:g}: no email would ever be sent"
        )
    return {lane.name: lane for lane in lanes}
