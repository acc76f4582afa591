"""What happens to a screening submission, in reading order.

    intake      keep what a web form sent, durably, before answering 2xx
    validation  types, ranges, consents, duplicates; the person hears back either way
    scoring     which providers' published criteria fit the answers, and why
    outreach    which emails follow from a step, and to whom
    email       render one; transports hand it over
    referral    a provider's answer: accept, decline, expire, and the next best match

Under them: `status` (the life cycle on one screen), `unit_of_work` (the one place that writes status and audit),
`ledger` (jobs: claim, finish, retry), `engine` (the drain), `vault` (encryption), `audit`, `models` and `db`.

Nothing here knows Celery or HTTP. `tasks` says when, `web` says who asked.
"""
