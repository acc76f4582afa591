"""Reports from the audit record: made for somebody outside, and themselves on record before anything is shown.

    document.py      what every report is made of: head, summary, notes, tables, and the digest of its JSON form
    period.py        a period, and the range of audit record ids that holds it
    records.py       audit records, streamed by submission or by period
    reach.py         what one record says reached whom: recipient, classes of data, in which way
    grounds.py       on which ground something was disclosed: purpose, and the consent as it stood then
    known.py         whether there is such a provider, link or actor at all
    recipients.py    providers by name and address, as published when something was disclosed to them
    making.py        that a report is made, on record first; how one is made from start to end
    disclosures.py   accounting of disclosures for a person (45 CFR 164.528)
    access.py        who looked at a person; what somebody looked at
    activity.py      what was done in a period, for review and sign-off (45 CFR 164.308(a)(1)(ii)(D))
    sign_off.py      sign-offs of periods, and the periods without one
    breach.py        whose facts reached whom between two times (45 CFR 164.400-414, 16 CFR 318)
    thresholds.py    from how many people on somebody has to be told, by which rule
    residence.py     what a breach report opens of the answers: where people live, how to reach them; on record first
    as_text.py, as_csv.py, as_json.py, as_html.py      the formats

Only audit data is read, in which there is no health fact; `residence` alone opens answers, and only when asked to.
"""
