"""A draft of the network, judged from stored submissions."""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, update

from config.providers import ProviderDocument
from pipeline.context import Context
from pipeline.models import Base, DataKey, SealedDocument
from pipeline.operations.what_if import Moved, Outlook, ProviderOutlook, latest_scored, what_if
from pipeline.providers import draft_network
from pipeline.scoring.compare import Outcome
from tests.pipeline.scoring.network_files import program, provider
from tests.support.networks import fitting, put_in_force
from tests.support.submissions import person, submit
from tests.support.work import drain, statuses, table

LATER = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
ROOMY = {"max_open": 50, "max_per_day": 50}


def taking(provider_id: str, **severity: int) -> ProviderDocument:
    """A provider that takes people by `severity` alone."""
    return provider(program([{"question": "severity", **severity}]), id=provider_id, name=provider_id, capacity=ROOMY)


def outlook(context: Context, *draft: ProviderDocument, last: int = 100, recipients: int = 3) -> Outlook:
    with context.database.read() as connection:
        return what_if(
            connection,
            context.vault,
            latest_scored(connection, last),
            context.networks.current(connection).network,
            draft_network(draft).network,
            recipients=recipients,
            at=LATER,
        )


def of(found: Outlook, provider_id: str) -> ProviderOutlook:
    return next(each for each in found.providers if each.provider_id == provider_id)


def score_people(context: Context, severities: Sequence[int]) -> list[Moved]:
    """Submissions with these severities, scored."""
    kept = [submit(context, person(number, severity=severity)) for number, severity in enumerate(severities)]
    drain(context)
    return [Moved(each.submission_id, each.reference) for each in kept]


def test_who_gains_who_loses_and_who_is_left_without_anybody(context: Context) -> None:
    put_in_force(context, taking("mild", at_most=4), taking("severe", at_least=7))
    people = score_people(context, [2, 4, 5, 8])
    found = outlook(context, taking("mild", at_most=3), taking("severe", at_least=5))
    assert found.compared == 4
    assert (of(found, "mild").gains, of(found, "mild").loses) == (0, 1)
    assert (of(found, "severe").gains, of(found, "severe").loses) == (1, 0)
    assert (of(found, "severe").before.fits, of(found, "severe").after.fits) == (1, 2)
    assert found.newly_unmatched == (people[1],)
    assert found.newly_matched == (people[2],)
    assert found.moved == (people[1], people[2])
    assert found.outcomes[Outcome.CANDIDATE, Outcome.CANDIDATE] == 2


def test_a_provider_that_comes_or_goes_has_nothing_on_the_other_side(context: Context) -> None:
    put_in_force(context, taking("goes", at_least=0))
    score_people(context, [1, 2])
    found = outlook(context, taking("comes", at_least=0))
    assert (of(found, "goes").after.fits, of(found, "goes").loses) == (0, 2)
    assert (of(found, "comes").before.fits, of(found, "comes").gains) == (0, 2)
    assert found.newly_unmatched == ()


def test_what_would_wait_for_an_expert(context: Context) -> None:
    put_in_force(context, taking("one", at_most=5))
    people = score_people(context, [5])
    borderline = provider(program([{"question": "severity", "at_most": 4, "borderline": 1}]), id="one", capacity=ROOMY)
    found = outlook(context, borderline)
    assert found.newly_in_review == tuple(people)
    assert of(found, "one").loses == 1


def test_a_cap_that_would_be_passed(context: Context) -> None:
    """Offers are spread in turn over equals; with only one left, its five a day are not enough."""
    scarce: dict[str, Any] = {"capacity": {"max_open": 50, "max_per_day": 5}}
    put_in_force(context, fitting("one", **scarce), fitting("other", **scarce))
    score_people(context, [5] * 10)
    found = outlook(context, fitting("one", **scarce), recipients=1)
    assert (of(found, "one").before.offers, of(found, "one").after.offers) == (5, 10)
    assert of(found, "one").newly_over_capacity == ("day",)
    assert outlook(context, fitting("one", **scarce), fitting("other", **scarce), recipients=1).providers[0].before == (
        of(found, "one").before
    )


def test_the_network_in_force_judged_against_itself_changes_nothing(context: Context) -> None:
    score_people(context, range(10))
    with context.database.read() as connection:
        documents = context.networks.current(connection).documents.values()
    found = outlook(context, *documents)
    assert all((each.gains, each.loses, each.before) == (0, 0, each.after) for each in found.providers)
    assert all(before is after for before, after in found.outcomes)
    assert sum(found.outcomes.values()) == sum(statuses(context)[outcome] for outcome in Outcome)


def test_only_the_latest_are_judged_and_those_that_cannot_be_read_are_counted_apart(context: Context) -> None:
    put_in_force(context, taking("one", at_least=0))
    score_people(context, [1, 2, 3])
    with context.database.read() as connection:
        latest = latest_scored(connection, 2)
    assert latest == latest_scored_of_all(context)[1:]
    with context.database.write() as connection:
        connection.execute(delete(DataKey).where(DataKey.submission_id == latest[0]))
    found = outlook(context, taking("one", at_least=0), last=2)
    assert (found.compared, found.unreadable) == (1, 1)
    with context.database.write() as connection:
        of_the_last = SealedDocument.submission_id == latest[1]
        connection.execute(update(SealedDocument).where(of_the_last).values(ciphertext=b"x" * 40))
    found = outlook(context, taking("one", at_least=0))
    assert (found.compared, found.unreadable) == (1, 2)


def test_it_changes_nothing(context: Context) -> None:
    put_in_force(context, taking("one", at_least=0))
    score_people(context, [1, 2, 3])
    before = everything(context)
    outlook(context, taking("one", at_least=2))
    assert everything(context) == before


def everything(context: Context) -> dict[str, list[Row[Any]]]:
    """All rows of all tables."""
    return {name: table(context.database, each) for name, each in Base.metadata.tables.items()}


def latest_scored_of_all(context: Context) -> list[uuid.UUID]:
    with context.database.read() as connection:
        return latest_scored(connection, 100)
