"""Emails: typed contexts in, rendered and addressed messages out.

    context  = Confirmation(reference, link, organisation)          contexts
    rendered = render(EmailKind.CONFIRMATION, "es", context)        render, over templates/email/
    message  = compose(rendered, email_id, "person@example.org", Sender.from_settings(settings))    message

A notice form carries no health fact: it says that there is something to read, and links to it. A full form does carry
them, and leaves only by a transport that is cleared for them (`details`). `leaks` has the last look at either.
"""
