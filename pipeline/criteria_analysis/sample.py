"""Programs that took not one of many made-up people: possible in principle, and probably not meant so."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from config.availability import Availability
from config.conditions import Conditions
from config.providers import Program, ProviderDocument
from config.screening import Screening
from pipeline.criteria_analysis import findings
from pipeline.criteria_analysis.findings import Finding
from pipeline.criteria_analysis.made_up import MadeUpPeople
from pipeline.criteria_analysis.parts import Part, Role, listed
from pipeline.scoring.assess import score
from pipeline.scoring.network import Network
from pipeline.scoring.record import ProgramRecord, program_record
from pipeline.scoring.trees import judge
from pipeline.scoring.verdict import Verdict

_VERSION = UUID(int=0)


def takes_nobody(
    document: ProviderDocument, index: int, size: int, screening: Screening, conditions: Conditions, at: datetime
) -> Finding | None:
    """Whether the provider's program at `index` takes none of `size` people made up for it; they are always the same.

    Whether the provider is open does not matter.
    """
    program = document.programs[index]
    alone = document.model_copy(update={"programs": (program,), "availability": Availability(), "credentials": ()})
    network = Network.of([(_VERSION, alone)])
    refused: Counter[int] = Counter()
    for answers in MadeUpPeople(document, program, screening, conditions).draw(size, at.date()):
        record = program_record(score(answers, network, at.date(), at).explanation, _VERSION, program.id)
        if record.verdict is Verdict.MET:
            return None
        refused.update(_refusing(program, record))
    [(most, times)] = refused.most_common(1)
    return findings.nobody_in_sample(("programs", index), _deciding(program, index)[most], size, times)


def _deciding(program: Program, index: int) -> tuple[Part, ...]:
    """The criteria that decide whom the program takes, as they are written."""
    sections = (("require", Role.REQUIRE), ("inclusion", Role.REQUIRE), ("exclusion", Role.EXCLUDE))
    return tuple(part for section, role in sections for part in listed(program, section, role, ("programs", index)))


def _refusing(program: Program, record: ProgramRecord) -> Iterator[int]:
    """Which of the deciding criteria stand in somebody's way, by their number."""
    criteria = (*program.require, *program.inclusion, *program.exclusion)
    names = [name for name, path, _ in program.named_leaves() if path[0] in {"require", "inclusion", "exclusion"}]
    judged = judge(criteria, [record.criteria[name] for name in names])
    first_exclusion = len(criteria) - len(program.exclusion)
    for number, each in enumerate(judged):
        wanted = Verdict.NOT_MET if number >= first_exclusion else Verdict.MET
        if each.verdict is not wanted:
            yield number
