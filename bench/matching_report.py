"""What came out of matching, as a part of RESULTS.md."""

from collections.abc import Sequence

from bench.matching import CAREROUTE, Matching, SizeTimes, Times
from bench.networks import PREFERRED, REQUIRED
from bench.parts import Figure, Part, conditions

TITLE = "Matching one submission with the network"
WANTED_ELIGIBILITY = 200e-6
WANTED_STORED = 2e-3
WANTED_RATIO = 100.0


def matching_part(matching: Matching, command: str) -> Part:
    zen = {"zen-engine": matching.zen_version} if matching.zen_version else {}
    return Part(
        TITLE,
        tuple(_figures(matching)),
        (
            *_sizes(matching),
            *_sides(matching),
            *_memory(matching),
            *conditions(command, ("numpy", "orjson", "pydantic", "cryptography"), zen),
        ),
    )


def _figures(matching: Matching) -> Sequence[Figure]:
    largest = matching.sizes[matching.largest]
    among = f"{matching.largest:,} programs with {REQUIRED} criteria each"
    span = f"from {min(matching.sizes):,} to {matching.largest:,} programs"
    figures = [
        _at_most(f"eligibility of one submission, {among}", largest.eligibility.median, WANTED_ELIGIBILITY),
        _at_most("the same with ranking and the stored explanation", largest.stored.median, WANTED_STORED),
        _linear(f"growth of eligibility {span}", matching.growth(lambda times: times.eligibility)),
        _linear(f"growth of all of it {span}", matching.growth(lambda times: times.stored)),
    ]
    wanted = f"at least {WANTED_RATIO:.0f}"
    fastest = matching.fastest_other
    if fastest is None:
        missing = "not measured: it is not installed (`make setup-bench`)"
        figures.append(Figure("zen-engine's time, as a multiple of Careroute's", wanted, missing, reached=False))
    else:
        ratio = matching.ratio(fastest)
        what = "time of zen-engine's fastest way, as a multiple of Careroute's"
        figures.append(Figure(what, wanted, f"{ratio:.0f}", ratio >= WANTED_RATIO))
    return figures


def _at_most(what: str, seconds: float, wanted: float) -> Figure:
    return Figure(f"{what} (median)", f"at most {_time(wanted)}", _time(seconds), seconds <= wanted)


def _linear(what: str, growth: float) -> Figure:
    return Figure(f"{what}, as a multiple of the programs'", "at most 1", f"{growth:.2f}", growth <= 1)


def _sizes(matching: Matching) -> list[str]:
    plan = matching.plan
    lines = [
        "### Careroute by size\n",
        f"Made-up networks over the shipped form (`bench/networks.py`): every program requires {REQUIRED} things, some",
        f"of them joined by `any`, and prefers {PREFERRED}. In each of {plan.rounds} rounds {plan.people} people are",
        "judged, most of whom left out some answers. *Eligibility* judges every criterion of every program: met, not",
        "met or unknown. *Assessment* is all of `score`: facts, eligibility, scores, ranking, and the explanation of",
        "the programs matched and of others, up to 50. *Stored* is that, compressed and sealed.\n",
        "| programs | eligibility | p90 | assessment | p90 | stored | p90 |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [f"| {size:,} | {_row(times)} |" for size, times in sorted(matching.sizes.items())]
    return [*lines, ""]


def _row(times: SizeTimes) -> str:
    return " | ".join(_both(each) for each in (times.eligibility, times.assessment, times.stored))


def _both(times: Times) -> str:
    return f"{_time(times.median)} | {_time(times.p90)}"


def _sides(matching: Matching) -> list[str]:
    lines = [
        f"### The same criteria judged by others, {matching.largest:,} programs\n",
        "The same people, who answered everything, and the same programs without what they prefer. First it is made",
        "sure that everybody comes to the same verdicts. zen-engine is given what Careroute has to work out, the age",
        "and the distance of every provider; its rules are compiled beforehand; it stops at the first criterion that",
        "is not met, and tells yes or no for a program. Careroute tells met, not met or unknown for every criterion.\n",
        "| side | submissions | median | p90 | multiple |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, times in sorted(matching.sides.items(), key=lambda side: side[1].median):
        multiple = "1" if name == CAREROUTE else f"{matching.ratio(name):,.0f}"
        lines.append(f"| {name} | {len(times.seconds)} | {_both(times)} | {multiple} |")
    if matching.zen_version is None:
        lines.append("\nzen-engine is not installed: `make setup-bench`.")
    return [*lines, ""]


def _memory(matching: Matching) -> list[str]:
    lines = [
        "### Memory\n",
        "Each in a process of its own. *Held* is what the compiled network keeps beside the providers' documents;",
        "*process* is the resident memory of a process with all of it, Python and the ZIP codes included.\n",
        "| programs | compiling | held | a program | most while compiling | process |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {each.programs:,} | {_time(each.compile_seconds)} | {_megabytes(each.held_bytes)} "
        f"| {each.held_bytes / each.programs / 1e3:.1f} kB | {_megabytes(each.peak_bytes)} "
        f"| {_megabytes(each.process_bytes) if each.process_bytes else 'not told'} |"
        for each in matching.compiled
    ]
    return [*lines, ""]


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
