"""`python -m tests.chaos`: a run of chaos; the exit status is 0 if everything adds up.

CHAOS_MINUTES=5 SEED=7 python -m tests.chaos      or --minutes 5 --seed 7
python -m tests.chaos --seed 7 --plan             only what would be done to it
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from config.settings import PREFIX
from tests.chaos.plan import plan
from tests.chaos.run import Size, perform


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make chaos", description="Break everything under load, then see what is left."
    )
    minutes, seed = os.environ.get("CHAOS_MINUTES") or "5", os.environ.get("SEED") or "0"
    parser.add_argument("--minutes", type=float, default=float(minutes), help="how long it sends under faults")
    parser.add_argument("--seed", type=int, default=int(seed), help="0: a random one")
    parser.add_argument("--rate", type=float, default=30.0, help="submissions a second")
    parser.add_argument("--most-behind", type=int, default=3000, help="jobs to do above which no more are sent")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs also if everything adds up")
    parser.add_argument("--plan", action="store_true", help="print the faults and end")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    arguments = _arguments()
    seed = arguments.seed or random.randint(1, 999_999)
    seconds = arguments.minutes * 60
    faults = plan(seed, seconds)
    if arguments.plan:
        _say("\n".join(map(str, faults)))
        return 0
    # No setting of whoever runs it counts.
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    _say(f"seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="careroute-chaos-"))
    size = Size(seconds, arguments.rate, most_behind=arguments.most_behind)
    outcome = perform(seed, faults, size, folder, _say)
    _say(outcome.in_words())
    if outcome.wrong or arguments.keep:
        _say(f"logs, mails and faults are in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
