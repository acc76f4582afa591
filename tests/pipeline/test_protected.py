"""No way leads from a protected value to its content but a disclosure, and disclosures are made in few places."""

import ast
import copy
import json
import operator
import os
import pickle
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined

from config.screening import DataClass
from config.settings import ROOT
from pipeline.audit import actions
from pipeline.audit.actions import Detail
from pipeline.context import Context
from pipeline.models import AuditEvent
from pipeline.protected import Disclosure, DisclosureRefused, Protected, Purpose, disclose
from pipeline.unit_of_work import begin
from tests.support.submissions import submit
from tests.support.work import table
from tests.test_conventions import PACKAGES, relative, sources

SECRET = "Zqxhollyhock"


@dataclass
class Holder:
    held: object


def _header(value: Any) -> EmailMessage:
    message = EmailMessage()
    message["X-Held"] = value
    return message


def _format_all(value: Any) -> list[str]:
    return ["%s" % value, "%d" % value]  # noqa: UP031 - one of the ways


OPERATIONS: dict[str, Callable[[Any], object]] = {
    "str": str,
    "format": format,
    "f-string": lambda held: f"{held}",
    "f-string with a width": lambda held: f"{held:>20}",
    "percent": _format_all,
    "str.format": "{}".format,
    "str.join": lambda held: ", ".join(iter([held, held])),
    "bytes": bytes,
    "bool": bool,
    "if": lambda held: 1 if held else 2,
    "len": len,
    "list": list,
    "unpacking": lambda held: [*held],
    "dict": dict,
    "in": lambda held: "x" in held,
    "among others": lambda held: held in ["x", "y"],
    "item": lambda held: held[0],
    "slice": lambda held: held[:2],
    "equal": lambda held: held == SECRET,
    "unequal": lambda held: held != SECRET,
    "less": lambda held: held < SECRET,
    "sorted": lambda held: sorted([held, SECRET]),
    "hash": hash,
    "set": lambda held: {held},
    "add": lambda held: held + "x",
    "added": lambda held: "x" + held,
    "times": lambda held: held * 2,
    "sum": lambda held: sum([held]),
    "int": int,
    "float": float,
    "index": operator.index,
    "round": round,
    "abs": abs,
    "call": lambda held: held(),
    "attribute": lambda held: held.first_name,
    "inner attribute": lambda held: held._content,
    "another's attribute": lambda held: held._value,
    "class's attribute": lambda held: object.__getattribute__(held, "_content"),
    "vars": vars,
    "state": lambda held: held.__getstate__(),
    "object's state": object.__getstate__,
    "reduce": lambda held: object.__reduce_ex__(held, 2),
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "asdict": lambda held: asdict(Holder(held)),
    "json": json.dumps,
    "json by str": lambda held: json.dumps(held, default=str),
    "json by vars": lambda held: json.dumps(held, default=vars),
    "orjson": orjson.dumps,
    "orjson by str": lambda held: orjson.dumps(held, default=str),
    "quote": urllib.parse.quote,
    "urlencode": lambda held: urllib.parse.urlencode({"q": held}),
    "header": _header,
    "path": os.fspath,
    "encode": lambda held: held.encode(),
    "change": lambda held: setattr(held, "data_class", DataClass.PUBLIC),
}
TEMPLATES = (
    *("{{ held }}", "{{ held ~ 'x' }}", "{{ held + 'x' }}", "{{ held[0] }}", "{{ held.name }}", "{{ held._content }}"),
    *("{{ held|upper }}", "{{ held|length }}", "{{ held|default('x') }}", "{{ held|e }}", "{{ held|safe }}"),
    *("{{ held|string }}", "{{ held|urlencode }}", "{{ held|tojson }}", "{{ held|join }}", "{{ held|list }}"),
    *("{{ held|attr('_content') }}", "{{ held|int }}", "{{ held|first }}", "{{ '%s'|format(held) }}"),
    *("{{ held|trim }}", "{{ held|replace('x', 'y') }}", "{{ held|wordcount }}", "{{ {'a': held}|xmlattr }}"),
    *("{% if held %}x{% endif %}", "{% if held == 'x' %}x{% endif %}", "{% if not held %}x{% endif %}"),
    *("{% for each in held %}{{ each }}{% endfor %}", "{% if 'x' in held %}x{% endif %}", "{{ held is iterable }}"),
    *("{% set copied = held %}{{ copied }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(held) }}"),
)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_use_is_refused(name: str) -> None:
    held = Protected(SECRET, DataClass.HEALTH)
    with pytest.raises((DisclosureRefused, TypeError, AttributeError)) as refused:
        OPERATIONS[name](held)
    assert SECRET not in f"{refused.value!r} {refused.value}"


@pytest.mark.parametrize("autoescape", [False, True])
@pytest.mark.parametrize("source", TEMPLATES)
def test_every_use_in_a_template_is_refused(source: str, *, autoescape: bool) -> None:
    environment = Environment(undefined=StrictUndefined, autoescape=autoescape)  # noqa: S701 - both are used
    with pytest.raises((DisclosureRefused, TypeError)) as refused:
        environment.from_string(source).render(held=Protected(SECRET, DataClass.HEALTH))
    assert SECRET not in str(refused.value)


CONTENTS = st.text(min_size=9) | st.integers(10**8) | st.lists(st.text(min_size=9), min_size=1)


@given(CONTENTS, st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=4))
def test_no_operations_yield_the_content(content: Any, names: list[str]) -> None:
    """Whatever is asked of it, in whatever order: what comes out, or is said in the error, is not the content."""
    told: list[object] = []
    held: Any = Protected(content, DataClass.CONTACT)
    for name in names:
        try:
            told.append(OPERATIONS[name](held))
        except Exception as error:  # noqa: BLE001 - any refusal will do
            told += [error, *error.args]
    told.append(repr(held))
    assert not any(each is content for each in told)
    assert not any(part in str(told) for part in (content if isinstance(content, list) else [str(content)]))
    assert Disclosure(Purpose.REVIEW, "staff:tests").reveal(held) is content


def test_logs_and_errors_show_only_its_class() -> None:
    held = Protected(SECRET, DataClass.HEALTH)
    assert repr(held) == f"{held!r}" == "<protected: health>"
    assert str([held]) == "[<protected: health>]"
    for render in (structlog.processors.JSONRenderer(), structlog.dev.ConsoleRenderer(colors=False)):
        line = str(render(None, "info", {"event": "x", "held": held, "all": [held]}))
        assert SECRET not in line
        assert "<protected: health>" in line
    environment = Environment(undefined=StrictUndefined)  # noqa: S701 - plain text
    assert environment.from_string("{{ held is defined }}").render(held=held) == "True"


def test_a_second_factor_is_compared_without_being_told() -> None:
    born = Protected("1975-03-28", DataClass.CONTACT)
    assert born.matches("1975-03-28")
    assert not any(map(born.matches, ("1975-03-2", "1975-03-29", "", "\ud800")))


def test_a_disclosure_is_on_record_in_the_transaction_that_reveals(sqlite_context: Context) -> None:
    context, kept = sqlite_context, submit(sqlite_context)
    held = Protected(SECRET, DataClass.HEALTH)

    def records() -> list[str]:
        return [row.details for row in table(context.database, AuditEvent.table()) if row.action == "facts:disclosed"]

    def reveal(*, then_fail: bool) -> None:
        with begin(context.database, context.keys, actions.staff("tests")) as unit:
            unit.lock([kept.submission_id])
            about = {Detail.REFERRAL: "1"}
            disclosure = disclose(unit, kept.submission_id, Purpose.REFERRAL, "provider:a", about)
            assert disclosure.reveal(held) == SECRET
            if then_fail:
                raise InterruptedError

    with pytest.raises(InterruptedError):
        reveal(then_fail=True)
    assert records() == []
    reveal(then_fail=False)
    assert [json.loads(each) for each in records()] == [
        {"purpose": "referral", "recipient": "provider:a", "referral": "1"}
    ]


# What may be done where: whoever adds a place says why here.

MAKE_DISCLOSURES = {
    "pipeline/protected.py": "on record with it",
    "pipeline/stages/deliver.py": "on record with the email",
}
OPEN_ANSWERS = {
    "pipeline/protected_parts.py": "opens them as protected values",
    "pipeline/secure_pages/asking.py": "works out what to ask; hands on protected answers",
    "pipeline/secure_pages/adding.py": "validates new answers beside the old ones",
    "pipeline/stages/score.py": "scores",
    "pipeline/consent/backfill.py": "copies the versions of the texts agreed to into the ledger",
    "pipeline/operations/reviews.py": "scores again with the condition an expert named",
    "pipeline/operations/scoring_again.py": "scores once more and compares",
    "pipeline/operations/what_if.py": "scores against a draft",
}


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a function or method of this name, with the file it stands in."""
    for path in sources(*PACKAGES):
        text = path.read_text(encoding="utf-8")
        if f"{name}(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call):
                called = node.func
                found = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
                if found == name:
                    yield relative(path), node


def test_disclosures_are_made_where_they_are_recorded() -> None:
    assert {path for path, _ in calls("Disclosure")} == MAKE_DISCLOSURES.keys()


def test_answers_are_opened_raw_only_by_what_computes() -> None:
    """By name of the part, or by a part that was named before."""
    found = {path for path, call in calls("open_json") if "answers" in ast.unparse(call).lower()}
    assert found == OPEN_ANSWERS.keys()


def test_nothing_reaches_around_a_disclosure() -> None:
    paths = [*sources(*PACKAGES), *(ROOT / "templates").rglob("*.*")]
    reaching = {relative(path) for path in paths if "_CONTENT" in path.read_text(encoding="utf-8")}
    assert reaching == {"pipeline/protected.py"}
