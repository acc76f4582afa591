"""Program: what a compiled network of so many programs costs. A process of its own, so that nothing else is counted."""

import json
import sys
import time
import tracemalloc
from dataclasses import asdict, dataclass
from pathlib import Path
from subprocess import run

from bench.networks import made_up_network
from config.conditions import load_conditions
from config.settings import Settings
from pipeline.scoring.geography import place
from pipeline.scoring.network import Network

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Compiled:
    """`held_bytes` is what the compiled network keeps beside the documents, `peak_bytes` the most while compiling.

    `process_bytes` is the resident memory of a process with everything in it; 0 where the system does not tell.
    """

    programs: int
    compile_seconds: float
    held_bytes: int
    peak_bytes: int
    process_bytes: int


def measure_compiled(programs: int) -> Compiled:
    """Measured in a fresh process."""
    command = (sys.executable, "-m", "bench.memory", str(programs))
    return Compiled(**json.loads(run(command, check=True, capture_output=True).stdout))


def _compile(programs: int) -> Compiled:
    versions = made_up_network(programs, load_conditions(Settings.model_fields["conditions_file"].default))
    place("US", "10001")  # reads the ZIP codes, once a process
    started = time.perf_counter()
    network = Network.of(versions)
    seconds = time.perf_counter() - started
    process_bytes = _resident_bytes()
    del network
    tracemalloc.start()
    network = Network.of(versions)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del network
    return Compiled(programs, seconds, held, peak, process_bytes)


def _resident_bytes() -> int:
    if not _STATUS.exists():
        return 0
    line = next(line for line in _STATUS.read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(asdict(_compile(int(sys.argv[1])))))
