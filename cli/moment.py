"""Points in time as an operator types them."""

import datetime as dt

import typer

EXPECTED = "2026-12-01T09:00-06:00, or a day such as 2026-12-01 for its beginning in UTC"


def read_moment(text: str | dt.datetime) -> dt.datetime:
    """An aware time in UTC from ISO 8601 text. Raises `typer.BadParameter` for other text, or without a zone."""
    if isinstance(text, dt.datetime):
        return text
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a time such as {EXPECTED}") from None
    if moment.tzinfo is None:
        if "T" in text.upper() or " " in text.strip():
            raise typer.BadParameter(f"expected a time with its zone, such as {EXPECTED}")
        moment = moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC)


def tell_moment(moment: dt.datetime) -> str:
    """A time for people, in UTC and to the minute."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
