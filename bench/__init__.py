"""What Careroute takes, beside what others take for the same; `make bench` measures all of it and compares.

people, laboratory        who asks, and the servers and databases of one run
sides, textbook           the pipeline's two sides: ours, and the same full work as a textbook Celery application
work                      what was done, from the database: both sides must have done the same
measure, counting         throughput and latency; statements, commits and messages per submission
networks                  made-up networks of any size, and people for them
matching, memory          how long one submission takes by size of the network; what a compiled network costs
zen_engine, interpreter   the same criteria judged by others; `criteria_text` writes them in zen-engine's language
what_if                   a draft of the network rehearsed on stored submissions
parts, report, matching_report   the tables, and RESULTS.md
"""
