"""Whoever is shown what a person said is on record before it is shown, on every way that there is to it."""

import ast
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from cli.providers_what_if import _rehearse
from config.screening import DataClass
from config.settings import ROOT
from pipeline.audit import actions
from pipeline.audit.actions import Action, Actor
from pipeline.context import Context
from pipeline.db import Database, utc_now
from pipeline.models import AuditEvent
from pipeline.operations.opening import operator
from pipeline.operations.review_case import ReviewRefused, open_case
from pipeline.operations.reviews import Decision, decide, name_condition
from pipeline.operations.scoring_again import score_again
from pipeline.reports.residence import read_reachable
from pipeline.secure_pages.answering import ProviderAnswer, answer_referral
from tests.pipeline.operations.reviewing import CONTRADICTION, EXPERT, in_review
from tests.pipeline.secure_pages.links import BORN, PROVIDERS, nobody, referred
from tests.pipeline.secure_pages.undecided import opened, send, undecided
from tests.support.networks import fitting
from tests.support.submissions import submit
from tests.support.transports import ScriptedTransport
from tests.support.work import drain

OPENING = {"open_answers", "open_assessment", "open_address", "open_json", "open(Part)", "reveal", "revealed"}
"""What turns ciphertext, or a protected value, into what a person said."""

PACKAGES = ("config", "pipeline", "tasks", "web", "cli", "embedded")


@dataclass(frozen=True)
class Way:
    """Something by which `actor` is shown what a submission holds."""

    submission_id: uuid.UUID
    actor: Actor
    go: Callable[[], object]
    refusal: type[Exception] | None = None
    """If what is shown is the message of a refusal."""


def by_links(context: Context) -> list[Way]:
    """The pages of the person and of a provider."""
    case = referred(context)
    id_, provider = case.submission_id, actions.provider(PROVIDERS[0])
    token, session = case.provider_token(), case.provider_session()
    silent = ProviderAnswer(accepts=False, reason=None)
    return [
        Way(id_, actions.person(id_), lambda: case.open(case.token(), BORN)),
        Way(id_, provider, lambda: case.open(token, session=session)),
        Way(id_, provider, lambda: answer_referral(context, token, session, silent, None, "request", nobody)),
    ]


def by_answering(context: Context) -> list[Way]:
    """The page of a person who is asked for more."""
    case = undecided(context)
    token, session = opened(case)
    return [Way(case.submission_id, actions.person(case.submission_id), lambda: send(case, token, session, {}))]


def by_review(context: Context) -> list[Way]:
    """Reading a case, deciding it, and refusals that tell of the person."""
    id_ = in_review(context, **CONTRADICTION).submission_id
    unfit = Decision(candidate=True, reason="x", programs=("gamma/clinic",))
    return [
        Way(id_, EXPERT, lambda: open_case(context, EXPERT, id_)),
        Way(id_, EXPERT, lambda: name_condition(context, EXPERT, id_, "lupus", "x"), ReviewRefused),
        Way(id_, EXPERT, lambda: decide(context, EXPERT, id_, unfit), ReviewRefused),
        Way(id_, EXPERT, lambda: decide(context, EXPERT, id_, Decision(candidate=True, reason="x"))),
    ]


def by_operations(context: Context) -> list[Way]:
    """Scoring again, judging by a draft (also a count of a few), and the residents of a breach report."""
    id_ = submit(context).submission_id
    drain(context)
    few = [fitting("alpha")]
    return [
        Way(id_, EXPERT, lambda: score_again(context.database, context.keys, EXPERT, id_)),
        Way(id_, operator(), lambda: _rehearse(context.settings, context.screening, few, 5, listed=False)),
        Way(id_, EXPERT, lambda: next(read_reachable(context, EXPERT, [id_], with_contacts=True))),
    ]


SHOWN: Mapping[str, object] = {
    "pipeline/operations/review_case.py": by_review,
    "pipeline/operations/reviews.py": by_review,
    "pipeline/operations/scoring_again.py": by_operations,
    "pipeline/operations/what_if.py": by_operations,
    "pipeline/reports/residence.py": by_operations,
    "pipeline/secure_pages/adding.py": by_answering,
    "pipeline/secure_pages/asking.py": by_answering,
    "pipeline/secure_pages/opening.py": by_links,
    "pipeline/secure_pages/person.py": by_links,
    "pipeline/secure_pages/provider.py": by_links,
    "pipeline/secure_pages/wording.py": by_links,
}
"""Modules that open what is shown to somebody, and what tries each."""

SENT = {
    "pipeline/email/contexts.py",
    "pipeline/stages/addressing.py",
    "pipeline/stages/deliver.py",
    "pipeline/stages/letter_contexts.py",
    "pipeline/stages/letter_details.py",
}
"""Modules that open what is written into an email: on record before it is handed over, see the test of that."""

STAYS = {
    "pipeline/consent/backfill.py": "reads which consents were given, and writes the ledger",
    "pipeline/protected_parts.py": "opens parts as protected values, of which nothing is shown",
    "pipeline/stages/score.py": "scores, and seals what came of it",
    "pipeline/stages/validate.py": "checks a body, and seals what it says",
    "pipeline/submission.py": "reads sealed parts for all of these",
}
"""Modules whose work shows nobody anything."""


def test_every_module_that_opens_what_people_said_was_looked_at() -> None:
    # One that is new belongs into one of the three lists, and if it shows something, among what is tried below.
    opening = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if OPENING & {_called(node) for node in ast.walk(ast.parse(path.read_text("utf-8")))}
    }
    assert opening == SHOWN.keys() | SENT | STAYS.keys()


@pytest.mark.parametrize("ways", [by_links, by_answering, by_review, by_operations])
def test_it_is_on_record_when_it_is_shown_and_not_shown_if_it_cannot_be(
    sqlite_context: Context, ways: Callable[[Context], list[Way]]
) -> None:
    context = sqlite_context
    for way in ways(context):
        before = disclosures(context, way)
        refuse_records(context, refused=True)
        with pytest.raises(DBAPIError, match="not on record"):
            way.go()
        refuse_records(context, refused=False)
        assert disclosures(context, way) == before
        with suppress(way.refusal or LookupError):
            way.go()
            assert way.refusal is None, "it should have been refused"
        assert disclosures(context, way) > before, way


def test_a_full_form_is_on_record_when_it_is_handed_over(sqlite_context: Context) -> None:
    context = sqlite_context
    seen: list[int] = []
    kept = submit(context)
    lane = Way(kept.submission_id, actions.lane("email"), lambda: None)
    transport = ScriptedTransport(
        clearance=DataClass.HEALTH,
        during=lambda _message: seen.append(disclosures(context, lane)),
    )
    drain(context, transport=transport)
    full = disclosures(context, lane)
    assert full == 1 + len(PROVIDERS), "the recommendation, and a referral to each"
    # The confirmation goes first and holds no fact; each full form was on record in its slice before it left.
    assert seen[0] == 0
    assert all(seen[1:])


def disclosures(context: Context, way: Way) -> int:
    """How many a connection of its own finds on record now."""
    database = Database(context.database.url)
    wanted = select(func.count()).where(
        AuditEvent.submission_id == way.submission_id,
        AuditEvent.action == Action.FACTS_DISCLOSED.value,
        AuditEvent.actor == str(way.actor),
        AuditEvent.occurred_at <= utc_now() + dt.timedelta(minutes=1),
    )
    with database.read() as connection:
        found: int = connection.execute(wanted).scalar_one()
    database.dispose()
    return found


def refuse_records(context: Context, *, refused: bool) -> None:
    with context.database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS not_on_record")
        if refused:
            connection.exec_driver_sql(
                "CREATE TRIGGER not_on_record BEFORE INSERT ON audit_event WHEN new.action = 'facts:disclosed' "
                "BEGIN SELECT RAISE(ABORT, 'not on record'); END"
            )


def _called(node: ast.AST) -> str | None:
    """The name of what is called, however it is reached; `open(Part)` for the opening of a part."""
    if not isinstance(node, ast.Call):
        return None
    if node.args and isinstance(node.args[0], ast.Attribute) and ast.unparse(node.args[0].value) == "Part":
        return f"{ast.unparse(node.func).rpartition('.')[2]}(Part)".replace("open_json(Part)", "open_json")
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else None
