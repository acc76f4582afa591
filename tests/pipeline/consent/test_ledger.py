"""When a consent is live: cases written out, and any sequence of lines against the rule said another way."""

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit import actions
from pipeline.audit.actions import Action
from pipeline.consent import sharing_allowed
from pipeline.consent.ledger import Line, read_standings, standing_of, write_withdrawn
from pipeline.consent.purposes import ORGANISATION, PROVIDERS, ConsentDecision, ConsentPurpose, one_provider
from pipeline.context import Context
from pipeline.models import ConsentEntry
from pipeline.submission import Part, read_sealed
from pipeline.unit_of_work import begin
from tests.config.shipped import SCREENING
from tests.pipeline.secure_pages.links import Referred
from tests.support.submissions import person, submit
from tests.support.work import drain, status_of, table

GIVEN, WITHDRAWN = ConsentDecision.GIVEN, ConsentDecision.WITHDRAWN
A, B = "blue-mesa", "cedar-gate"
LINES = st.lists(
    st.builds(Line, st.sampled_from([PROVIDERS, one_provider(A), one_provider(B)]), st.sampled_from(ConsentDecision))
)


def line(decision: ConsentDecision, provider_id: str | None = None) -> Line:
    return Line(one_provider(provider_id) if provider_id else PROVIDERS, decision)


@pytest.mark.parametrize(
    ("lines", "live", "with_a", "with_b"),
    [
        ([], False, False, False),
        ([line(GIVEN)], True, True, True),
        ([line(GIVEN), line(WITHDRAWN)], False, False, False),
        ([line(WITHDRAWN), line(GIVEN)], True, True, True),
        ([line(GIVEN), line(WITHDRAWN, A)], True, False, True),
        ([line(GIVEN), line(WITHDRAWN, A), line(GIVEN)], True, False, True),
        ([line(GIVEN), line(WITHDRAWN, A), line(GIVEN, A)], True, True, True),
        ([line(GIVEN, A)], False, True, False),
        ([line(GIVEN), line(GIVEN, A), line(WITHDRAWN)], False, False, False),
        ([line(GIVEN), line(WITHDRAWN), line(GIVEN, A)], False, True, False),
    ],
)
def test_sharing_is_live(lines: list[Line], *, live: bool, with_a: bool, with_b: bool) -> None:
    standing = standing_of(ConsentPurpose.SHARE, lines)
    assert (standing.live, *map(standing.allows, (one_provider(A), one_provider(B)))) == (live, with_a, with_b)


def last(lines: list[Line], recipient: str) -> int:
    """The place of the latest line for a recipient; -1: there is none."""
    return max((place for place, each in enumerate(lines) if each.recipient == recipient), default=-1)


@given(LINES)
def test_the_latest_line_for_the_recipient_counts_unless_a_wider_one_took_it_back_later(lines: list[Line]) -> None:
    standing, wide = standing_of(ConsentPurpose.SHARE, lines), last(lines, PROVIDERS)
    to_all = wide >= 0 and lines[wide].decision is GIVEN
    assert standing.live == to_all
    for provider_id in (A, B):
        own = last(lines, one_provider(provider_id))
        if own >= 0 and lines[own].decision is WITHDRAWN:
            expected = False
        elif own < 0:
            expected = to_all
        else:
            later = [each for each in lines[own:] if each.recipient == PROVIDERS]
            expected = to_all if any(each.decision is WITHDRAWN for each in later) else True
        assert standing.allows(one_provider(provider_id)) == expected


def test_what_a_valid_form_agreed_to_is_on_the_ledger_and_a_rejected_one_agreed_to_nothing(context: Context) -> None:
    kept, again = submit(context), submit(context)
    rejected = submit(context, person(1), consent_share=None)
    drain(context, "validate")
    assert status_of(context, again.submission_id) == "duplicate"
    lines = table(context.database, ConsentEntry.table())
    said = [("contact", ORGANISATION), ("share", PROVIDERS)]
    for each in (kept, again):
        mine = [row for row in lines if row.submission_id == each.submission_id]
        assert sorted((row.purpose, row.recipient) for row in mine) == said
    assert rejected.submission_id not in {row.submission_id for row in lines}
    with context.database.read() as connection:
        (sealed,) = read_sealed(connection, [kept.submission_id], [Part.BODY]).values()
    key = sealed.key(context.vault)
    body = key.open(Part.BODY, sealed.parts[Part.BODY].ciphertext)
    for row in (row for row in lines if row.submission_id == kept.submission_id):
        text = SCREENING.consent(f"consent_{row.purpose}")
        shown = text.text.in_language("es")  # the language of the shipped answers
        assert (row.decision, row.text_version, row.language) == ("given", text.version, "es")
        assert bytes(row.text_hash) == hashlib.sha256(shown.encode()).digest()
        assert (row.source, bytes(row.proof)) == ("source:network-site", key.commit_to(body))
        assert row.decided_at == sealed.received_at <= row.recorded_at
    records = Referred(context, kept.submission_id).recorded(Action.CONSENT_GIVEN)
    assert len(records) == len(said)
    assert {row.actor for row in records} == {"lane:validate"}


def test_a_withdrawal_comes_last_whatever_the_clocks_say(context: Context) -> None:
    kept = submit(context)
    drain(context, "validate")
    id_ = kept.submission_id
    ahead = uuid.UUID(int=max(row.id.int for row in table(context.database, ConsentEntry.table())) + (1 << 100))
    with begin(context.database, context.keys, actions.staff("tests")) as unit:
        unit.lock([id_])
        unit.insert(
            ConsentEntry.table(),
            id=ahead,
            submission_id=id_,
            purpose="share",
            recipient=PROVIDERS,
            decision="given",
            source="source:network-site",
            decided_at=unit.now,
            recorded_at=unit.now,
        )
        unit.flush()
        assert write_withdrawn(unit, id_, ConsentPurpose.SHARE, PROVIDERS)
        assert not write_withdrawn(unit, id_, ConsentPurpose.SHARE, PROVIDERS)
        assert not sharing_allowed(unit.connection, [id_])[id_].is_live
        standings = read_standings(unit.connection, [id_], ConsentPurpose)
    assert standings[id_, ConsentPurpose.CONTACT].live
