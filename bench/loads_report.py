"""What came out of the offered loads, as a part of RESULTS.md."""

from collections.abc import Mapping, Sequence

from bench.doors import CAREROUTE
from bench.loads import LoadPlan, Offered
from bench.parts import Chart, Figure, Part

TITLE = "Latency against load"
AIM = 1000


def loads_part(plan: LoadPlan, measured: Mapping[str, Sequence[Offered]], said: Sequence[str]) -> Part:
    """`said` are the conditions."""
    return Part(
        TITLE,
        tuple(_figures(measured)),
        (
            "From the submission's commit to the commit that says its confirmation was handed over, by the database's",
            f"clock; each load for {plan.seconds:g} s, taken in by processes of their own on the same cores. A side",
            "that does not keep up is shown with how fast its backlog grew, and is offered nothing higher.\n",
            "| side | offered | came in | p50 | p99 | |",
            "| --- | ---: | ---: | ---: | ---: | --- |",
            *(_row(side, each) for side, loads in measured.items() for each in loads),
            "",
            *said,
        ),
        (_chart(measured),),
    )


def _figures(measured: Mapping[str, Sequence[Offered]]) -> list[Figure]:
    highest = max((each.rate for each in measured[CAREROUTE] if each.keeps_up), default=0.0)
    what = "highest load offered that Careroute keeps up with, taking it in included"
    return [Figure(what, f"{AIM:,}/s", f"{highest:,.0f}/s", highest >= AIM, is_aim=True)]


def _row(side: str, each: Offered) -> str:
    row = f"| {side} | {each.rate:,.0f}/s | {each.came_in:,.0f}/s |"
    if each.keeps_up:
        return f"{row} {each.p50 * 1000:.1f} ms | {each.p99 * 1000:.1f} ms | |"
    said = f"backlog grew by {max(0.0, each.growth):,.0f}/s"
    return f"{row} | | cannot keep up: {said}{', and no more could be taken in' if each.is_short else ''} |"


def _chart(measured: Mapping[str, Sequence[Offered]]) -> Chart:
    series = {}
    for side, loads in measured.items():
        kept = [each for each in loads if each.keeps_up]
        if kept:
            series[f"{side}, p50"] = [(each.rate, each.p50 * 1000) for each in kept]
            series[f"{side}, p99"] = [(each.rate, each.p99 * 1000) for each in kept]
    return Chart(
        "latency-against-load",
        "Time to the confirmation against load",
        "submissions/s offered",
        "milliseconds",
        series,
        log_x=True,
        log_y=True,
    )
