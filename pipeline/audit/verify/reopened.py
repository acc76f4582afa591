"""Logs after the first were opened by somebody, on record, and have everything that the earlier ones had."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from pipeline.audit.openings import is_opened_on_record, missing_since
from pipeline.audit.verify.findings import Finding
from pipeline.audit.verify.logs import LogSize
from pipeline.audit.verify.records import IsAuthentic
from pipeline.audit.verify.whereabouts import archived_records


def check_openings(
    connection: Connection, logs: Sequence[LogSize], is_authentic: IsAuthentic | None
) -> Iterator[Finding]:
    """A log of which records were archived may have lost the one that opened it."""
    for log in logs:
        if not archived_records(connection, log.number) and not is_opened_on_record(connection, log, is_authentic):
            yield Finding(f"log {log.number}", "no record of ours says that it was opened")
    for earlier in logs[:-1]:
        for leaf, about, problem in missing_since(connection, earlier, logs[-1]):
            yield Finding(about, f"{problem}, and was leaf {leaf} of log {earlier.number}")
