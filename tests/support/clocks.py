"""This process with a clock of its own, as on a machine whose time is wrong."""

import datetime as dt
from types import SimpleNamespace

import pytest

from pipeline import db


def step_clock(monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta) -> None:
    """Have this process's clock, `utc_now`, wherever it is read, be so far ahead; the database's is as it was."""
    stepped = SimpleNamespace(
        now=lambda zone: dt.datetime.now(zone) + ahead,
        fromisoformat=dt.datetime.fromisoformat,
    )
    monkeypatch.setattr(db, "dt", SimpleNamespace(datetime=stepped, UTC=dt.UTC))
