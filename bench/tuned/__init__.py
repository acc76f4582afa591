"""The tuned side: the same work as somebody would write it who knows Celery, SQLAlchemy and PostgreSQL well.

One message a submission and one task that does all of it, in two durable transactions: validation, scoring, referrals
and the rows of all five emails in the first; the emails are then handed over, and that all of them were is the second.
Rows are written by the very bulk statements that Careroute uses, a table at a time, and the stages are Careroute's own.

Choices in its favour: as the textbook it has no result backend, no rows for jobs beside the broker, and no committed
mark before an email is sent. Messages are acknowledged late, and several are fetched ahead.
"""
