"""Program: one tuned worker, configured by `CAREROUTE_*`: threads, so that one works while others wait for a commit."""

import os
import warnings

from celery import signals
from celery.exceptions import SecurityWarning

from bench.tuned.app import QUEUE, create_app, journey
from config.settings import Settings
from pipeline.email.render import warm_up

THREADS = 2
"""Faster than one, than four, and than forked processes, on two cores with two workers."""

if __name__ == "__main__":
    signals.setup_logging.connect(lambda **_: None, weak=False)
    warnings.simplefilter("ignore", SecurityWarning)  # it warns root of pickled messages; these are JSON
    journey()
    warm_up()
    create_app(Settings().broker_url).worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={THREADS}",
            f"--queues={QUEUE}",
            f"--hostname=tuned-{os.getpid()}@%h",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )
