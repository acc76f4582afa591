"""The order among providers: score, then wait, then share of the target, then id."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.scoring.rank import Fit, Match, Standing, rank, rank_again
from tests.pipeline.scoring.network_files import version_id

YESTERDAY = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def fit(provider_id: str, score: int = 50, program_id: str = "clinic", position: int = 0) -> Fit:
    return Fit(provider_id, version_id(provider_id), program_id, position, score)


def ids(matches: tuple[Match, ...]) -> list[str]:
    return [match.provider_id for match in matches]


def waited(hours: int, month_referrals: int = 0, target_per_month: int | None = None) -> Standing:
    return Standing(YESTERDAY - timedelta(hours=hours), month_referrals, target_per_month)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("b", 51, waited(0)), ("a", 50, Standing())),  # the score before everything
        (("b", 50, waited(2)), ("a", 50, waited(1))),  # the longest wait
        (("b", 50, Standing()), ("a", 50, waited(1000))),  # never offered is the longest
        (("b", 50, waited(2, 9, 1)), ("a", 50, waited(1, 0, 5))),
        (("b", 50, waited(1, 1, 4)), ("a", 50, waited(1, 1, 2))),  # the lowest share
        (("b", 50, waited(1, 3, 4)), ("a", 50, waited(1))),  # no target: no claim
        (("b", 50, waited(1)), ("a", 50, waited(1, 5, 4))),  # above its target
        (("a", 50, waited(1, 4, 4)), ("b", 50, waited(1))),  # at its target: equal
        (("b", 50, Standing(target_per_month=3)), ("a", 50, Standing())),
        (("a", 50, waited(1, 1, 3)), ("b", 50, waited(1, 2, 6))),  # the same share
        (("a", 50, waited(1)), ("b", 50, waited(1))),  # the id at last
        (("a", 50, Standing()), ("b", 50, Standing())),
    ],
)  # fmt: skip
def test_who_comes_first(first: tuple[str, int, Standing], second: tuple[str, int, Standing]) -> None:
    standings = {first[0]: first[2], second[0]: second[2]}
    fits = [fit(*first[:2]), fit(*second[:2])]
    expected = [first[0], second[0]]
    assert ids(rank(fits, standings)) == ids(rank(reversed(fits), standings)) == expected


def test_a_provider_nobody_counted_stands_as_a_new_one() -> None:
    assert ids(rank([fit("a"), fit("b")], {"a": waited(1000)})) == ["b", "a"]
    assert ids(rank([fit("a"), fit("b")], {"b": Standing()})) == ["a", "b"]


@pytest.mark.parametrize(
    ("programs", "chosen"),
    [
        ([("first", 0, 50), ("second", 1, 60)], "second"),
        ([("first", 0, 60), ("second", 1, 60)], "first"),
        ([("second", 1, 60), ("first", 0, 60), ("third", 2, 10)], "first"),
        ([("second", 1, 0)], "second"),
    ],
)
def test_a_provider_stands_once_with_its_best_program(programs: list[tuple[str, int, int]], chosen: str) -> None:
    fits = [fit("a", score, program_id, position) for program_id, position, score in programs]
    [match] = rank(fits, {})
    best = max(score for _, _, score in programs)
    assert match == Match("a", version_id("a"), chosen, best, 1)


def test_share_of_target() -> None:
    assert Standing(month_referrals=2, target_per_month=3).share_of_target == Fraction(2, 3)
    assert Standing(month_referrals=0, target_per_month=3).share_of_target == 0
    assert Standing(month_referrals=7).share_of_target == 1


def test_nobody_fits() -> None:
    assert rank([], {}) == ()


NAMES = [f"p{number}" for number in range(8)]
FITS = st.lists(
    st.builds(
        fit,
        st.sampled_from(NAMES),
        score=st.sampled_from([0, 50, 100]),
        program_id=st.just("clinic"),
        position=st.integers(0, 3),
    ),
    unique_by=lambda each: (each.provider_id, each.position),
    max_size=12,
)
STANDINGS = st.dictionaries(
    st.sampled_from(NAMES),
    st.builds(
        Standing,
        last_offered_at=st.sampled_from([None, YESTERDAY, YESTERDAY - timedelta(microseconds=1)]),
        month_referrals=st.integers(0, 3),
        target_per_month=st.sampled_from([None, 1, 2, 3]),
    ),
)


@given(FITS, STANDINGS, st.randoms(use_true_random=False))
def test_rank_is_a_total_order_whatever_comes_first(
    fits: list[Fit], standings: dict[str, Standing], random: object
) -> None:
    ranked = rank(fits, standings)
    shuffled = sorted(fits, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert rank(shuffled, dict(reversed(standings.items()))) == ranked
    assert [match.rank for match in ranked] == list(range(1, len(ranked) + 1))
    assert sorted(ids(ranked)) == sorted({each.provider_id for each in fits})
    # Pairs stand as they do alone: leaving somebody out turns nobody around.
    for earlier, later in pairwise(ranked):
        pair = [each for each in fits if each.provider_id in {earlier.provider_id, later.provider_id}]
        assert ids(rank(pair, standings)) == [earlier.provider_id, later.provider_id]


@given(FITS, STANDINGS, STANDINGS, st.randoms(use_true_random=False))
def test_ranking_again_is_ranking_by_the_new_standings(
    fits: list[Fit], before: dict[str, Standing], after: dict[str, Standing], random: object
) -> None:
    stored = sorted(rank(fits, before), key=lambda _: random.random())  # type: ignore[attr-defined]
    assert rank_again(stored, after) == rank(fits, after)
