"""What was deleted leaves SQLite's files as well.

Deleted rows are overwritten with zeros (`PRAGMA secure_delete`, on every connection that writes), but the write-ahead
log still holds the pages as they were until it is copied back and cut off
(https://www.sqlite.org/pragma.html#pragma_wal_checkpoint).
"""

import sqlite3

from sqlalchemy import make_url

from pipeline.db import Database

_PATIENCE_SECONDS = 5.0
"""How long readers of an older state are waited for."""


def cut_off_log(database: Database) -> bool:
    """Empty the write-ahead log; False if a reader was in the way. On PostgreSQL there is nothing to do here: a
    deleted row goes with the next vacuum, and its write-ahead log with the server's own retention.
    """
    path = make_url(database.url).database
    if database.is_postgresql or path is None:
        return True
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError:  # locked
        return False
    finally:
        connection.close()
    return not busy
