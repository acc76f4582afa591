"""Recompute what was recorded, and hold it against the log, its signatures, and what was anchored outside.

Reading order: `log` (the whole run), `leaves` (records against tiles, the bulk of the work), `processes` (that on all
cores), `levels` (the tiles among themselves), `signatures` (checkpoints), `whereabouts` (each record in one place),
`numbering` (no gaps), `resuming` (going on after an interruption), `records` (records without a log), `findings`.
"""

from pipeline.audit.verify.findings import Finding, Verification
from pipeline.audit.verify.log import Evidence, Progress, Resume, verify_log
from pipeline.audit.verify.records import verify_events

__all__ = ["Evidence", "Finding", "Progress", "Resume", "Verification", "verify_events", "verify_log"]
