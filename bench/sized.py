"""Program: `careroute worker` that claims so many jobs at a time in every lane."""

import sys
from collections.abc import Mapping
from dataclasses import replace

from cli.app import app
from pipeline.context import Context
from pipeline.engine.lane import Lane
from pipeline.lanes import build_lanes
from tasks import run


def claim_at_once(size: int) -> None:
    def sized(context: Context) -> Mapping[str, Lane]:
        return {name: replace(lane, batch_size=size) for name, lane in build_lanes(context).items()}

    run.build_lanes = sized  # type: ignore[attr-defined]  # what `careroute worker` builds its lanes with


if __name__ == "__main__":
    claim_at_once(int(sys.argv[1]))
    sys.argv[1:] = ["worker"]
    app()
