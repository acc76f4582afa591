"""Emails: typed contexts in, rendered and addressed messages out.

    context  = Confirmation(reference, link, organisation)          contexts
    rendered = render(EmailKind.CONFIRMATION, "es", context)        render, over templates/email/
    message  = compose(rendered, email_id, "person@example.org", Sender.from_settings(settings))    message

An email carries no health fact. It says that there is something to read, and links to it.
"""
