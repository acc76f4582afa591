"""Criteria that nobody can meet, that everybody meets, or that another criterion makes superfluous.

Every rule is an exact claim about all possible submissions: a region is empty. Where a region grows too large to tell,
nothing is claimed.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from config.criteria import All, AnyOf, Distance, Group, Leaf, Neither, Region, SpokenLanguage, children
from config.providers import Program, ProviderDocument
from config.yaml_file import Location
from pipeline.criteria_analysis import findings, regions
from pipeline.criteria_analysis.effect import settings_without_effect
from pipeline.criteria_analysis.findings import Finding
from pipeline.criteria_analysis.parts import Part, Role, alternatives, conjuncts, listed, required
from pipeline.criteria_analysis.regions import TooManyCases, clash, intersection
from pipeline.criteria_analysis.space import FAILED, MET, NOT_FAILED, NOT_MET, Space, Wanted, fact_of, negated

_MOST_NAMED = 4
_MOST_COMPARED = 60
"""Criteria of one list that are compared two by two; longer lists are written by programs."""


def odd_criteria(document: ProviderDocument, space: Space) -> Iterator[Finding]:
    """What is odd about a provider's programs: at most one finding for each criterion, and for each setting of one."""
    for index, program in enumerate(document.programs):
        told: set[Location] = set()
        for finding in _Analysis(space).program(program, ("programs", index)):
            if finding.location not in told:
                told.add(finding.location)
                yield finding
    yield from _programs_never_better(document, _Analysis(space))


def may_take_somebody(program: Program, space: Space) -> bool:
    """Whether somebody can fit the program; also true where that can't be told in reasonable time."""
    try:
        return _Analysis(space).takes_somebody(program)
    except TooManyCases:
        return True


class _Analysis:
    def __init__(self, space: Space) -> None:
        self._space = space

    def program(self, program: Program, here: Location) -> Iterator[Finding]:
        needed = required(program, here)
        impossible = _certain(self._impossible, needed)
        contradiction = [] if impossible else _certain(self._contradiction, needed)
        yield from impossible
        yield from contradiction
        yield from _certain(self._superfluous, needed)
        # What can be met beside criteria that nobody meets is not worth telling.
        context = () if impossible or contradiction else needed
        for part in needed:
            yield from _certain(self._inside, part, [other for other in context if other is not part])
        rules = listed(program, "review_if", Role.REVIEW, here)
        for part in (*listed(program, "prefer", Role.PREFER, here), *rules):
            yield from _certain(self._beside, part, context)
            yield from _certain(self._inside, part, ())
        yield from _certain(self._rules_that_add_nothing, rules)
        for _, path, leaf in program.named_leaves():
            decides = path[0] in {"require", "inclusion", "exclusion"}
            yield from settings_without_effect(leaf, (*here, *path), self._space, decides=decides)

    def takes_somebody(self, program: Program) -> bool:
        """Raises TooManyCases."""
        return bool(intersection([self._region(part, MET) for part in required(program, ())]))

    def never_better(self, earlier: Program, later: Program) -> bool:
        """Whether everybody whom the later program takes is taken by the earlier one, and there is somebody.

        Raises:
            TooManyCases: that can't be told in reasonable time.
        """
        taken = [self._region(part, MET) for part in required(later, ())]
        return bool(intersection(taken)) and not any(
            intersection([*taken, self._region(part, NOT_MET)]) for part in required(earlier, ())
        )

    def _impossible(self, parts: Sequence[Part]) -> Iterator[Finding]:
        for part in parts:
            if not self._region(part, MET):
                if part.excludes:
                    yield findings.always_met(part, self._space.screening, may_be_left_out=False)
                else:
                    yield from self._never_met(part)

    def _contradiction(self, parts: Sequence[Part]) -> Iterator[Finding]:
        together = [parts[index] for index in clash([self._region(part, MET) for part in parts])]
        if len(together) > 1:
            yield findings.contradictory(together[-1], _named(together[:-1]))

    def _superfluous(self, parts: Sequence[Part]) -> Iterator[Finding]:
        """Parts that all have to be met, and of which one changes nothing."""
        for part in parts:
            if part.excludes and not self._space.region(part.criterion, MET):
                yield from self._never_met(part)
            elif not part.excludes:
                yield from self._vacuous(part)
        for part, other in self._pairs(parts, self._never_above):
            yield findings.shadowed(part, other)

    def _inside(self, part: Part, context: Sequence[Part]) -> Iterator[Finding]:
        """What is odd inside of a group. `context` are the criteria that have to be met as well."""
        if isinstance(part.criterion, AnyOf):
            yield from self._of_alternatives(alternatives(part.criterion, part.location), context)
        elif isinstance(part.criterion, All | Neither):
            inner = conjuncts(part.criterion, part.location)
            if not self._space.region(part.criterion, MET):
                yield from self._contradiction(inner)
                return
            yield from self._superfluous(inner)
            for each in inner:
                yield from self._inside(each, ())

    def _of_alternatives(self, parts: Sequence[Part], context: Sequence[Part]) -> Iterator[Finding]:
        for part in parts:
            if not self._region(part, MET):
                yield from self._never_met(part)
            elif others := self._in_the_way(part, MET, context):
                yield findings.never_met_beside(part, others)
        for part, other in self._pairs(parts, self._never_below):
            yield findings.shadowed_alternative(part, other)
        for part in parts:
            yield from self._inside(part, ())

    def _beside(self, part: Part, needed: Sequence[Part]) -> Iterator[Finding]:
        """A preference or a rule for the expert, which are about people whom the program takes."""
        if not self._region(part, MET):
            yield from self._never_met(part)
        elif vacuous := list(self._vacuous(part)):
            yield from vacuous
        elif others := self._in_the_way(part, MET, needed):
            yield findings.never_met_beside(part, others)
        elif others := self._in_the_way(part, NOT_MET, needed):
            yield findings.always_met_beside(part, others)

    def _in_the_way(self, part: Part, wanted: Wanted, needed: Sequence[Part]) -> tuple[Part, ...]:
        """As few as possible of the needed parts beside which a part can't have a verdict among `wanted`."""
        found = clash([*(self._region(other, MET) for other in needed), self._region(part, wanted)])
        return _named([needed[index] for index in found if index < len(needed)])

    def _rules_that_add_nothing(self, rules: Sequence[Part]) -> Iterator[Finding]:
        for part, other in self._pairs(rules, self._met_only_with):
            yield findings.shadowed_alternative(part, other)

    def _pairs(self, parts: Sequence[Part], adds_nothing: Callable[[Part, Part], bool]) -> Iterator[tuple[Part, Part]]:
        """Each part that adds nothing beside another one. Of two that say the same, that is the later one."""
        dropped: set[Location] = set()
        possible = [part for part in parts[:_MOST_COMPARED] if self._region(part, MET)]
        for earlier, later in combinations(possible, 2):
            if dropped & {earlier.location, later.location}:
                continue
            for part, other in ((later, earlier), (earlier, later)):
                if adds_nothing(part, other):
                    dropped.add(part.location)
                    yield part, other
                    break

    def _never_above(self, part: Part, other: Part) -> bool:
        """Whether the least of both verdicts is always the other's."""
        return self._never_below(other, part)

    def _never_below(self, part: Part, other: Part) -> bool:
        """Whether the greatest of both verdicts is always the other's."""
        failed_with_part = intersection([self._region(part, NOT_FAILED), self._region(other, FAILED)])
        return self._met_only_with(part, other) and not failed_with_part

    def _met_only_with(self, part: Part, other: Part) -> bool:
        return not intersection([self._region(part, MET), self._region(other, NOT_MET)])

    def _vacuous(self, part: Part) -> Iterator[Finding]:
        if isinstance(part.criterion, SpokenLanguage):
            return  # a provider that speaks every language of the form need not drop it: the form may get another one
        if not self._space.answered(self._region(part, NOT_MET)):
            left_out = self._may_be_left_out(part.criterion)
            yield findings.always_met(part, self._space.screening, may_be_left_out=left_out)

    def _may_be_left_out(self, criterion: Leaf | Group) -> bool:
        """Whether the form can be sent without an answer that the criterion needs."""
        if isinstance(criterion, Group):
            return any(self._may_be_left_out(each) for each in children(criterion)[1])
        if isinstance(criterion, Distance | Region):
            return True
        question = self._space.screening.question(fact_of(criterion))
        return not question.required or question.when is not None

    def _never_met(self, part: Part) -> Iterator[Finding]:
        """That nobody can meet a part; if it joins several, which of these do not go together."""
        joined = isinstance(part.criterion, All | Neither)
        inside = list(self._inside(part, ())) if joined else []
        yield from inside or [findings.never_met(part, self._space.document, self._space.screening)]

    def _region(self, part: Part, wanted: Wanted) -> regions.Region:
        return self._space.region(part.criterion, negated(wanted) if part.excludes else wanted)


def _certain(check: Callable[..., Iterator[Finding]], *arguments: object) -> list[Finding]:
    """What a check finds; nothing if it can't be certain."""
    try:
        return list(check(*arguments))
    except TooManyCases:
        return []


def _named(parts: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(parts[:_MOST_NAMED])


def _programs_never_better(document: ProviderDocument, analysis: _Analysis) -> Iterator[Finding]:
    """Programs whose people an earlier program of the same provider takes as well, with the same points."""
    told: set[int] = set()
    for earlier, later in combinations(range(min(len(document.programs), _MOST_COMPARED)), 2):
        one, other = document.programs[earlier], document.programs[later]
        if later in told or _points(one) != _points(other):
            continue
        try:
            never = analysis.never_better(one, other)
        except TooManyCases:
            continue
        if never:
            told.add(later)
            yield findings.program_never_better(("programs", later), one.id)


def _points(program: Program) -> list[object]:
    """What the score follows from, without names and words."""
    return [_bare(criterion.model_dump(mode="json")) for criterion in program.prefer]


def _bare(document: object) -> object:
    if isinstance(document, dict):
        return {key: _bare(value) for key, value in document.items() if key not in {"id", "person", "ask"}}
    return [_bare(each) for each in document] if isinstance(document, list) else document
