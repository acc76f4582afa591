"""What came out of measuring the evidence, as a part of RESULTS.md."""

import statistics
from collections.abc import Sequence

from bench.evidence import AUDITED, UNAUDITED, Evidence
from bench.laboratory import Laboratory
from bench.parts import Figure, Part, conditions
from bench.report import servers

TITLE = "Evidence: records, the log behind them, keys"
WANTED_RATIO = 0.8
WANTED_SEQUENCING, WANTED_VERIFYING = 20_000, 100_000
WANTED_PROOF_BYTES, WANTED_PROOF_SECONDS = 2048, 0.05
WANTED_REWRAPPING_SECONDS = 60.0
_RATE_OF_REWRAPPING = 100_000 / WANTED_REWRAPPING_SECONDS


def evidence_part(measured: Evidence, said: Sequence[str]) -> Part:
    """`said` are the conditions, see `evidence_conditions`."""
    plan, proofs = measured.plan, measured.proofs
    rewrapped = plan.data_keys / measured.rewrapping
    return Part(
        TITLE,
        (
            Figure(
                "the pipeline's throughput with records and the sequencer, beside the same with neither",
                f"at least {WANTED_RATIO:.0%}",
                f"{measured.ratio:.0%}",
                measured.ratio >= WANTED_RATIO,
            ),
            Figure(
                "the sequencer, one process",
                f"at least {WANTED_SEQUENCING:,} leaves/s",
                f"{measured.sequencing:,.0f} leaves/s",
                measured.sequencing >= WANTED_SEQUENCING,
            ),
            Figure(
                f"verification of {plan.records:,} records on all cores, the start of its processes included",
                f"at least {WANTED_VERIFYING:,} records/s",
                f"{measured.verifying:,.0f} records/s",
                measured.verifying >= WANTED_VERIFYING,
            ),
            Figure(
                f"a proof of one record among {proofs.leaves:,}",
                f"under {WANTED_PROOF_BYTES:,} bytes and {WANTED_PROOF_SECONDS * 1000:.0f} ms",
                f"{proofs.size_bytes:,} bytes, {proofs.slowest * 1000:.1f} ms at most",
                proofs.size_bytes < WANTED_PROOF_BYTES and proofs.slowest < WANTED_PROOF_SECONDS,
            ),
            Figure(
                f"wrapping {plan.data_keys:,} data keys anew",
                f"at least {_RATE_OF_REWRAPPING:,.0f}/s",
                f"{measured.rewrapping:.1f} s, {rewrapped:,.0f}/s",
                rewrapped >= _RATE_OF_REWRAPPING,
            ),
        ),
        (
            "Two workers that serve every lane, a backlog, from the word to go to the last email handed over; side by",
            "side in each round, and each first every other time. The ratio is the median of the rounds' ratios.\n",
            "| side | submissions | rounds (submissions/s) | median |",
            "| --- | ---: | --- | ---: |",
            *(_row(side, plan.submissions, measured.throughput[side]) for side in (AUDITED, UNAUDITED)),
            "",
            f"Records not yet in the log when the last email was out: {', '.join(map(str, measured.waiting))}.",
            f"Proofs: {len(proofs.seconds)}, median {statistics.median(proofs.seconds) * 1000:.1f} ms.\n",
            *said,
        ),
    )


def evidence_conditions(laboratory: Laboratory, command: str) -> list[str]:
    packages = ("cryptography", "tink", "orjson", "sqlalchemy", "psycopg")
    return conditions(command, packages, servers(laboratory))


def _row(side: str, submissions: int, rounds: Sequence[float]) -> str:
    each = ", ".join(f"{one:.1f}" for one in rounds)
    return f"| {side} | {submissions} | {each} | {statistics.median(rounds):.1f} |"
