"""From how many people on somebody has to be told of a breach, by which rule.

Which rule applies (an organisation is under HIPAA or under the FTC's rule, not both: 16 CFR 318.1(a)), and whether
there was a breach at all (45 CFR 164.402, 16 CFR 318.2), is for people to decide. Of the states' own numbers two are
here, from the pages of their attorneys general; the others have theirs, and `OTHER_STATES` says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """`fewest` people (residents of one state, if `by_state`) from whom on `consequence` follows."""

    rule: str
    fewest: int
    consequence: str
    by_state: bool = False
    state: str | None = None


THRESHOLDS = (
    Threshold("45 CFR 164.404", 1, "each individual is told within 60 days of the discovery"),
    Threshold("16 CFR 318.3(a)", 1, "each individual is told within 60 days of the discovery"),
    Threshold("45 CFR 164.408(b)", 500, "the Secretary of HHS is told when the individuals are; of fewer, once a year"),
    Threshold("16 CFR 318.5(c)", 500, "the FTC is told when the individuals are; of fewer, once a year"),
    Threshold("45 CFR 164.406", 501, "media that serve the state are told", by_state=True),
    Threshold("16 CFR 318.5(b)", 500, "media that serve the state are told", by_state=True),
    # https://oag.ca.gov/privacy/databreach/reporting
    Threshold("Cal. Civ. Code 1798.82(f)", 501, "its attorney general gets a sample", by_state=True, state="US-CA"),
    # https://atg.wa.gov/washington-s-data-breach-notification-laws
    Threshold("RCW 19.255.010", 501, "its attorney general is told within 30 days", by_state=True, state="US-WA"),
)

OTHER_STATES = (
    "Most states ask in laws of their own that an authority is told, from other numbers on and in shorter times; only "
    "California's and Washington's numbers are compared here."
)


def reached(
    individuals: int, residents: Mapping[str, int] | None
) -> Iterator[tuple[Threshold, str | None, int | None, bool | None]]:
    """Each threshold, for which state, the number it is held against, and whether it is reached.

    Without `residents` nobody looked where people live, so what is counted by state is not known: `None`, as is whether
    it is reached, unless there are fewer people than it takes. Of rules for every state only those that are reached
    are told, and the rule itself if none is. What is not `US-…` is no state.
    """
    states = {region: count for region, count in (residents or {}).items() if region.startswith("US-")}
    for threshold in THRESHOLDS:
        if not threshold.by_state:
            yield threshold, None, individuals, individuals >= threshold.fewest
        elif residents is None:
            # No state has more residents among them than there are people.
            yield threshold, threshold.state, None, False if individuals < threshold.fewest else None
        elif threshold.state is not None:
            count = states.get(threshold.state, 0)
            yield threshold, threshold.state, count, count >= threshold.fewest
        else:
            found = [(state, count) for state, count in sorted(states.items()) if count >= threshold.fewest]
            for state, count in found:
                yield threshold, state, count, True
            if not found:
                yield threshold, None, max(states.values(), default=0), False
