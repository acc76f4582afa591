"""The harness of the matching figures at a size that takes no time: it measures no figure here."""

import datetime as dt
from collections.abc import Mapping

import pytest

from bench.interpreter import Interpreter
from bench.matching import CAREROUTE, INTERPRETER, Contest, Matching, Plan, SizeTimes, Times, measure_matching
from bench.matching_report import matching_part
from bench.memory import Compiled
from bench.networks import (
    PREFERRED,
    REQUIRED,
    made_up_answers,
    made_up_draft,
    made_up_network,
    without_preferences,
)
from config.conditions import Conditions, load_conditions
from config.criteria import Group, Leaf, leaves
from config.providers import ProviderDocument, References
from config.screening import Screening, load_screening
from config.settings import Settings
from pipeline.scoring.bits import members_of
from pipeline.scoring.facts import Answer, read_facts
from pipeline.scoring.network import Network

TODAY = dt.date(2026, 11, 2)


@pytest.fixture(scope="module")
def screening() -> Screening:
    return load_screening(Settings.model_fields["screening_file"].default)


@pytest.fixture(scope="module")
def conditions() -> Conditions:
    return load_conditions(Settings.model_fields["conditions_file"].default)


def test_a_made_up_network_asks_for_eight_things_a_program_in_the_words_of_the_form(
    screening: Screening, conditions: Conditions
) -> None:
    network = made_up_network(120, conditions)
    programs = [program for _, document in network for program in document.programs]

    assert len(programs) == 120
    for program in programs:
        assert sum(len(list(leaves(each))) for each in program.eligibility) == REQUIRED
        assert len(program.prefer) == PREFERRED
    required = [criterion for program in programs for criterion in program.eligibility]
    kinds = {type(leaf) for criterion in required for _, leaf in leaves(criterion)}
    assert {kind.__name__ for kind in Leaf.__args__} == {kind.__name__ for kind in kinds}
    assert {type(each).__name__ for each in required if isinstance(each, Group)} == {"AnyOf", "Neither"}
    for _, document in network:
        ProviderDocument.model_validate(document.model_dump(), context=References(screening, conditions))


def test_the_same_size_makes_the_same_network_and_a_larger_one_begins_with_it(conditions: Conditions) -> None:
    small = made_up_network(50, conditions)
    assert small == made_up_network(50, conditions)
    assert small[:-1] == made_up_network(80, conditions)[: len(small) - 1]


def test_a_draft_differs_in_some_providers(conditions: Conditions) -> None:
    network = made_up_network(200, conditions)
    draft = {document.id: document for document in made_up_draft(network)}
    changed = [document.id for _, document in network if draft.get(document.id) not in {None, document}]
    assert len(network) > len(draft) > len(changed) >= len(network) // 10


@pytest.mark.parametrize("complete", [True, False])
def test_the_interpreter_and_the_matcher_agree_about_everybody(
    screening: Screening,
    conditions: Conditions,
    complete: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    network = Network.of(made_up_network(150, conditions))
    interpreter = Interpreter([(each.document, each.program) for each in network.programs])
    fitting = 0
    for answers in made_up_answers(screening, conditions, 150, complete=complete):
        facts = read_facts(answers, TODAY)
        sight = network.matcher.look(facts)
        assert interpreter.ask(facts) == members_of(sight.eligible, network.matcher.size)
        assert interpreter.unclear(facts) == members_of(sight.unclear, network.matcher.size)
        fitting += sight.eligible.bit_count()
    assert fitting > 50


def test_zen_engine_is_asked_for_the_same_criteria(screening: Screening, conditions: Conditions) -> None:
    pytest.importorskip("zen")
    people = list(made_up_answers(screening, conditions, 150, complete=True))
    contest = Contest(without_preferences(made_up_network(150, conditions)), people, [])
    contest.check(len(people), [CAREROUTE, "zen-engine: one expression, a list with an entry a program"])


def test_every_way_of_zen_engine_comes_to_the_same_verdicts(screening: Screening, conditions: Conditions) -> None:
    pytest.importorskip("zen")
    measured = measure_matching(screening, conditions, Plan(sizes=(20, 60), people=8, rounds=2, other_seconds=60))

    assert measured.zen_version
    assert len(measured.sides) == 7
    assert {len(times.seconds) for times in measured.sides.values()} == {16}
    assert measured.fastest_other is not None
    assert measured.fastest_other.startswith("zen-engine: ")
    assert {size: len(times.stored.seconds) for size, times in measured.sizes.items()} == {20: 16, 60: 16}
    assert [each.programs for each in measured.compiled] == [20, 60]
    assert all(each.held_bytes > 0 for each in measured.compiled)
    text = matching_part(measured, "make bench").text()
    assert "| zen-engine: one decision table, a row a program, hit policy collect | 16 |" in text


def test_a_figure_is_reached_or_missed_by_what_was_measured() -> None:
    part = matching_part(_measured({100: 30e-6, 10_000: 150e-6}, {"zen-engine: some way": 20e-3}), "make bench")
    assert part.reached
    assert [figure.came_out for figure in part.figures] == ["150 µs", "1.50 ms", "0.05", "0.05", "133"]

    slow = matching_part(_measured({100: 1e-6, 10_000: 201e-6}, {"zen-engine: some way": 20e-3}), "make bench")
    assert [figure.reached for figure in slow.figures] == [False, False, False, False, False]

    alone = matching_part(_measured({100: 30e-6, 10_000: 150e-6}, {}), "make bench")
    assert [figure.reached for figure in alone.figures] == [True, True, True, True, False]
    assert "zen-engine is not installed" in alone.text()


def _measured(eligibility: Mapping[int, float], others: Mapping[str, float]) -> Matching:
    """As if everything took as long as this; assessing takes ten times as long as eligibility does."""
    sizes = {
        size: SizeTimes(Times([seconds]), Times([9 * seconds]), Times([10 * seconds]))
        for size, seconds in eligibility.items()
    }
    largest = eligibility[max(eligibility)]
    sides = {CAREROUTE: largest, INTERPRETER: 1000 * largest, **others}
    return Matching(
        Plan(sizes=tuple(eligibility)),
        sizes,
        {name: Times([seconds]) for name, seconds in sides.items()},
        zen_version="2.1" if others else None,
        compiled=[Compiled(size, 0.1, 1000, 2000, 0) for size in eligibility],
    )


def test_a_person_who_answered_everything_left_nothing_open(screening: Screening, conditions: Conditions) -> None:
    def answered(answers: Mapping[str, Answer]) -> int:
        return len(answers)

    complete = [answered(each) for each in made_up_answers(screening, conditions, 50, complete=True)]
    gaps = [answered(each) for each in made_up_answers(screening, conditions, 50, complete=False)]
    assert min(complete) == max(complete) >= max(gaps) > min(gaps)
