"""The other side: the same work as most Celery applications would do it.

One task per step and per email, each with one row at a time, one transaction and one commit; `validate` and `score` are
a chain, the emails of a step a group. Tables, encryption, records, numbering, links, capacity and texts are the same,
and so are the pure functions (`work` of each stage): only the way through queue and database differs.

Choices in its favour: no result backend and no chord (nothing waits for the emails); no lane of jobs beside the broker,
so a flushed Redis loses work; no committed mark before an email is sent, so a killed worker may send it twice.
"""
