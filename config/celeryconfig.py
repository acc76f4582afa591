"""Celery as this project uses it: a way to say "this lane has work", nothing more.

No result backend, no ETA, no late acknowledgement: losing a message costs seconds, because workers also look.
"""

from typing import Any

from celery.schedules import schedule

from config.remote import read_broker
from config.settings import Settings

SWEEP_TASK = "careroute.sweep"
DRAIN_TASK = "careroute.drain"
SWEEP_QUEUE = "sweep"


def celery_settings(settings: Settings, broker_url: str) -> dict[str, Any]:
    broker = read_broker(broker_url)
    return {
        "broker_url": broker.url,
        "broker_use_ssl": broker.for_celery or False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # kombu's default for a read is to wait for ever, which a stalled broker would turn into a stalled worker.
        "broker_transport_options": {
            "socket_timeout": 15,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
        },
        "broker_pool_limit": 2,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_publish_retry": False,
        "task_create_missing_queues": True,
        # A busy worker takes one message early, at times its own call for help. `worker_disable_prefetch` would keep it
        # from that, but then it notices new messages late: the median at 20/s was four times as long.
        "worker_prefetch_multiplier": 1,
        "worker_send_task_events": False,
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "beat_schedule": {
            "sweep": {
                "task": SWEEP_TASK,
                "schedule": schedule(settings.sweep_seconds),
                "options": {"queue": SWEEP_QUEUE, "expires": settings.sweep_seconds},
            }
        },
        "timezone": "UTC",
    }
