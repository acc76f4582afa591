"""What happens to a screening submission, in reading order.

    intake      keep what a web form sent, durably, before answering 2xx
    validation  types, ranges, consents, duplicates; the person hears back either way
    scoring     which providers' published criteria fit the answers, and why
    outreach    which emails follow from a step, and to whom
    email       render one; transports hand it over
    referral    a provider's answer: accept, decline, expire, and the next best match

Beside them: `consent` (what may be shared, and with whom), `erasure` and `retention` (what goes, and when), `reports`
(what the record says, for those who may ask).

Under them: `status` (the life cycle on one screen), `unit_of_work` (the one place that writes status and audit),
`ledger` (jobs: claim, finish, retry), `engine` (the drain), `vault` and `keys` (encryption), `audit` (the record, and
the log that proves it), `data_classes` (what each column holds), `models` and `db`.

Nothing here knows Celery or HTTP. `tasks` says when, `web` says who asked.
"""
