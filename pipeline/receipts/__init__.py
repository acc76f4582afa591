"""What mail providers report about our emails: from a signed request to an email's status.

signature   whether a request is the provider's
events      what one event says, in our words; nothing else of it is kept
storing     each event once, with a job of lane `receipts`, in one transaction
matching    which attempt to send an email an event is about
merging     what an email's status becomes: only ever further on, in whatever order the events come
applying    statuses, records, suppressions and what people must see to, in one unit of work

The lane itself is `stages/receive.py`.
"""
