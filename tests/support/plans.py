"""The plan of every statement that PostgreSQL runs for a context, and which of them read a whole table."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import event

from pipeline.context import Context
from pipeline.db import Database

_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
    "auto_explain.log_nested_statements": "on",
}
_SCANS = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}


@dataclass(frozen=True, slots=True)
class Scan:
    """One place in a plan where a table is read from end to end. `by`: Seq Scan, or the index that is."""

    table: str
    by: str
    statement: str

    def __str__(self) -> str:
        return f"{self.by} on {self.table}: {self.statement}"


@dataclass(slots=True)
class Plans:
    """What was captured: how many statements, and their full scans."""

    statements: set[str] = field(default_factory=set)
    scans: set[Scan] = field(default_factory=set)
    _partial: frozenset[str] = frozenset()

    def take(self, document: Mapping[str, Any]) -> None:
        statement = " ".join(document["Query Text"].split())
        self.statements.add(statement)
        for node in _nodes(document["Plan"]):
            kind = node["Node Type"]
            if kind == "Seq Scan":
                self.scans.add(Scan(node["Relation Name"], kind, statement))
            elif kind in _SCANS and "Index Cond" not in node and node["Index Name"] not in self._partial:
                self.scans.add(
                    Scan(node.get("Relation Name", "?"), f"{kind} over all of {node['Index Name']}", statement)
                )


def explain_everything(url: str, **settings: str) -> None:
    """From the next connection on, the server tells the plan of each statement, in this database."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        name = sql.Identifier(url.rsplit("/", 1)[1])
        for setting, value in {**_SETTINGS, **settings}.items():
            parts = sql.SQL(".").join(sql.Identifier(part) for part in setting.split("."))
            connection.execute(sql.SQL("ALTER DATABASE {} SET {} = {}").format(name, parts, sql.Literal(value)))


@contextmanager
def captured(context: Context) -> Iterator[Plans]:
    """The plans of what is run by the context's database, whose connections must be new."""
    plans = Plans(_partial=_partial_indexes(context.database))

    def hear(message: psycopg.errors.Diagnostic) -> None:
        said = message.message_primary or ""
        if "plan:" in said:
            plans.take(json.loads(said.partition("plan:")[2]))

    @event.listens_for(context.database.writer, "connect")
    def _listen(connection: Any, _record: Any) -> None:
        connection.add_notice_handler(hear)

    context.database.writer.pool.dispose()
    try:
        yield plans
    finally:
        event.remove(context.database.writer, "connect", _listen)


def _partial_indexes(database: Database) -> frozenset[str]:
    """Read to their end they are still short: each holds the few rows that something is to be done about."""
    with database.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indpred IS NOT NULL"
        )
        return frozenset(found.scalars())


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
