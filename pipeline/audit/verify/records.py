"""Records themselves, apart from the log: hash and MAC of each."""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy import Connection

from pipeline.audit.record import MAC_BYTES
from pipeline.audit.stored import StoredRecord, read_all_records
from pipeline.audit.verify.findings import COLUMNS_CHANGED, MAC_NOT_OURS, Finding, Findings, Verification
from pipeline.audit.verify.numbering import check_numbers
from pipeline.keys import Keys

IsAuthentic = Callable[[bytes, bytes], bool]


def check_record(record: StoredRecord, is_authentic: IsAuthentic | None) -> str | None:
    """What is wrong with a record by itself, if anything. Without `is_authentic` its MAC is not looked at."""
    leaf = record.computed_leaf
    if leaf is None or leaf != record.leaf_hash:
        return COLUMNS_CHANGED
    return check_code(record, is_authentic)


def check_code(record: StoredRecord, is_authentic: IsAuthentic | None) -> str | None:
    """What is wrong with the MAC of a record whose leaf hash is right, if anything."""
    if is_authentic is not None and not (_is_code(record.mac) and is_authentic(record.leaf_hash, record.mac)):
        return MAC_NOT_OURS
    return None


def verify_events(connection: Connection, keys: Keys) -> Verification:
    """Check every record's hash, MAC and number, whether it is in the log or not. The log is `verify_log`'s business.

    `connection` must read one snapshot: what is written meanwhile would look like a gap.
    """
    findings, count = Findings(), 0

    def counted() -> Iterator[StoredRecord]:
        nonlocal count
        for record in read_all_records(connection):
            count += 1
            yield record

    findings.add(check_records(counted(), keys.is_authentic))
    findings.add(check_numbers(connection, archived=0))
    return Verification(count, findings.first(), findings.count)


def check_records(records: Iterable[StoredRecord], is_authentic: IsAuthentic | None) -> Iterator[Finding]:
    for record in records:
        problem = check_record(record, is_authentic)
        if problem is not None:
            yield Finding(str(record.id), problem)


def _is_code(mac: object) -> bool:
    return isinstance(mac, bytes) and len(mac) == MAC_BYTES
