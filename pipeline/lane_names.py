"""What the lanes are called; what they do is in `pipeline.lanes`, which loads every stage."""

LANE_NAMES = ("validate", "score", "refer", "email", "receipts")
"""In the order of the flow."""
