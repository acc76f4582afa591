"""What the lanes are called; what they do is in `pipeline.lanes`, which loads every stage."""

JOB_LANES = ("validate", "score", "refer", "email", "receipts")
"""Worked on job by job, in the order of the flow."""

SEQUENCE_LANE = "sequence"
"""Puts audit records into the Merkle log. Its work is `audit_pending`, not jobs."""

LANE_NAMES = (*JOB_LANES, SEQUENCE_LANE)
