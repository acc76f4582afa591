"""Program: one textbook worker, configured by `CAREROUTE_*`: a consumer and one forked process for the tasks."""

import os

from celery import signals

from bench.textbook.app import QUEUE, create_app, tools
from config.settings import Settings

if __name__ == "__main__":
    signals.setup_logging.connect(lambda **_: None, weak=False)
    signals.worker_process_init.connect(lambda **_: tools(), weak=False)
    create_app(Settings().broker_url).worker_main(
        [
            "worker",
            "--pool=prefork",
            "--concurrency=1",
            f"--queues={QUEUE}",
            f"--hostname=textbook-{os.getpid()}@%h",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--loglevel=WARNING",
        ]
    )
