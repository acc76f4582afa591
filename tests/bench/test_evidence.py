from bench.evidence import AUDITED, UNAUDITED, Evidence, EvidencePlan, Proofs, measure_evidence
from bench.evidence_report import evidence_part
from bench.laboratory import Laboratory

PLAN = EvidencePlan(submissions=4, rounds=0, records=6000, leaves=10_000, proofs=2, data_keys=30)


def measured(ratio: float = 0.8, size_bytes: int = 2047, seconds: float = 0.049) -> Evidence:
    throughput = {AUDITED: [100 * ratio], UNAUDITED: [100.0]}
    proofs = Proofs(10_000_000, size_bytes, (0.001, seconds))
    return Evidence(EvidencePlan(), throughput, [0], 20_000, 100_000, proofs, 60)


def test_what_was_wanted_decides() -> None:
    assert evidence_part(measured(), ["a machine"]).reached
    for missed in (measured(ratio=0.79), measured(size_bytes=2048), measured(seconds=0.05)):
        assert not evidence_part(missed, []).reached


def test_the_log_is_filled_verified_proven_and_its_keys_wrapped_anew(laboratory: Laboratory) -> None:
    found = measure_evidence(laboratory, PLAN)
    assert found.proofs.leaves == PLAN.leaves
    assert 0 < found.proofs.size_bytes < 2048
    assert min(found.sequencing, found.verifying, found.rewrapping) > 0
