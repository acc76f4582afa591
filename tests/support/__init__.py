"""What many tests need: submissions, installations, a way to drain them, and a transport that does as it is told.

    kept = submit(context, condition="knee_osteoarthritis")   # submissions.py
    drain(context)                                            # work.py: until no lane has anything due
    table(context.database, Email.table())                    # work.py: what came of it

The fixtures that make a `context` are in `tests/conftest.py`.
"""
