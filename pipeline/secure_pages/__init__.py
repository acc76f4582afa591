"""What is behind the links in emails, in reading order.

    link       from a token to a live link; who may be told what, and when it is locked
    opening    look at it (an access record, nothing else), open it with the second factor or a live session
    code       the one-time code that is a provider's second factor
    session    the short session that the second factor opens
    person     what the person sees: the state of the request, ranked recommendations with reasons and evidence
    provider   what a provider sees: the minimum it needs to answer
    published  provider versions as they were published
    wording    answers in words, for the page
    answering  a provider accepts or declines
    asking     what to ask a person whose request waits for an answer that would decide it
    adding     such answers are added; the request is scored again
    stopping   "this wasn't me": everything stops (`pipeline.withdrawal`)
    consenting a consent is taken back, for one provider, for all, or to be written to (`pipeline.consent`)
    new_link   somebody who lost the email asks for another link

Facts leave only together with a committed `facts:disclosed` record.
"""
