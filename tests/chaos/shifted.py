"""Program: `careroute` with a clock of its own, which can be stepped while it runs.

    python -m tests.chaos.shifted FILE careroute's arguments…

FILE holds a little-endian double: by how many seconds its clock is ahead. Shifted are `time.time` and
`pipeline.db.utc_now`, from which the pipeline takes every time that it writes. Not shifted: the monotonic clock, by
which time-outs and leases are counted down; what libraries in C read by themselves (the time in a UUIDv7,
`datetime.now` in the Date of a mail); the database's clock.
"""

import datetime as dt
import mmap
import struct
import sys
import time
from pathlib import Path

from pipeline import db

_FORMAT = "<d"


def set_shift(file: Path, seconds: float) -> None:
    """Step the clock of whoever runs with this file, from now on."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(struct.pack(_FORMAT, seconds))


def main() -> None:
    """Become `careroute` with the rest of the arguments."""
    file = Path(sys.argv[1])
    del sys.argv[1]
    with file.open("rb") as opened:
        shift = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    real = time.time

    def shifted() -> float:
        ahead: float = struct.unpack_from(_FORMAT, shift)[0]
        return real() + ahead

    time.time = shifted
    db.utc_now = lambda: dt.datetime.fromtimestamp(shifted(), dt.UTC)
    # Only now, as its modules take `utc_now` by name.
    from cli import main as careroute  # noqa: PLC0415

    careroute()


if __name__ == "__main__":
    main()
