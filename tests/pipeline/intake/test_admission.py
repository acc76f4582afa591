from pipeline import ledger
from pipeline.context import Context
from pipeline.intake.accept import accept
from pipeline.intake.admission import Admission, Door, count_waiting
from tests.support.submissions import arrival, person
from tests.support.work import drain


def doors(admission: Admission) -> set[Door]:
    """Which are open."""
    return {door for door in Door if admission.refusal(door) is None}


def test_the_doors_shut_at_their_bounds_hooks_last_and_open_only_once_there_is_room() -> None:
    admission = Admission(100, 1000)
    assert doors(admission) == set(Door)
    for second, (waiting, still_open) in enumerate(
        [
            (99, set(Door)),
            (100, {Door.HOOK}),
            (95, {Door.HOOK}),
            (89, set(Door)),
            (95, set(Door)),
            (1000, set()),
            (950, set()),
            (899, {Door.HOOK}),
            (0, set(Door)),
        ]
    ):
        admission.see(waiting, float(second))
        assert doors(admission) == still_open, waiting


def test_hooks_are_never_turned_away_before_the_others() -> None:
    admission = Admission(100, 10)
    admission.see(99, 0.0)
    assert doors(admission) == set(Door)


def test_who_is_turned_away_is_told_when_there_should_be_room_and_not_all_the_same() -> None:
    chance = iter((0.0, 0.5))
    admission = Admission(100, 10_000, chance=lambda: next(chance))
    admission.see(500, 0.0)
    admission.see(490, 1.0)  # ten a second: 400 more to go, in forty seconds
    assert admission.refusal(Door.API) == 40
    assert admission.refusal(Door.FORM) == 60


def test_what_counts_is_due_and_unclaimed_work_in_lanes_that_are_not_paused(context: Context) -> None:
    for number in range(4):
        accept(context, arrival(person(number)), lambda _lane: None)

    def waiting(most: int = 100) -> int:
        with context.database.read() as connection:
            return count_waiting(connection, most)

    assert (waiting(), waiting(most=3)) == (4, 3)
    with context.database.write() as connection:
        ledger.claim(connection, "validate", 1, 60)
    assert waiting() == 3
    with context.database.write() as connection:
        ledger.pause(connection, "validate", "maintenance", None)
    assert waiting() == 0
    with context.database.write() as connection:
        ledger.resume(connection, "validate")
    drain(context, "validate")
    assert waiting() == 6  # of each of the three: its scoring, and its confirmation
