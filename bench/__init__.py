"""What Careroute takes, beside what others take for the same; `make bench` measures all of it and compares.

people, laboratory        who asks, and the servers and databases of one run
sides, doors              the pipeline's sides: ours, and others that do the same full work
textbook, tuned           a textbook Celery application, and one that an expert would write
direct, limit             the stages with no queue at all: what no queue can be faster than
work                      what was done, from the database: all sides must have done the same
measure, counting         throughput and latency; statements, commits and messages per submission
loads, feeder             latency at rising loads that come from outside
batches, sized            throughput by how many jobs are claimed at once
embedded                  the pipeline on SQLite, as `careroute up` runs it
endurance                 the workers' memory while 100,000 submissions go through
alone                     what scoring, rendering, records and encryption take by themselves
networks                  made-up networks of any size, and people for them
matching, memory          how long one submission takes by size of the network; what a compiled network costs
zen_engine, interpreter   the same criteria judged by others; `criteria_text` writes them in zen-engine's language
what_if                   a draft of the network rehearsed on stored submissions
parts, plots, report, matching_report   the tables, the pictures, and RESULTS.md
"""
