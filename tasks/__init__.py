"""When it happens: the Celery app, wake-ups, the poll, the sweep's schedule. Rules are in `pipeline`."""
