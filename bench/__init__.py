"""Careroute beside the same full work written as a textbook Celery application; `make bench` runs both and compares.

people, laboratory   who asks, and the servers and databases of one run
sides, textbook      how each side is loaded, started and told to go; and what the other side is
work                 what was done, from the database: both sides must have done the same
measure, counting    throughput and latency; statements, commits and messages per submission
report               the tables, and RESULTS.md
"""
