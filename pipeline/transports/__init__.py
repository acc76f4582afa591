"""Ways out for a composed email. Which one is a setting; what they promise is in `receipt`."""

from config.screening import DataClass
from config.settings import MailTransport, Settings
from pipeline.transports.mailbox import MailboxTransport
from pipeline.transports.null import NullTransport
from pipeline.transports.receipt import Receipt, SendOutcome, Transport

__all__ = ["Receipt", "SendOutcome", "Transport", "open_transport"]


def open_transport(settings: Settings) -> Transport:
    """The transport the settings name. Raises ValueError naming a setting it cannot work with; connects to nobody."""
    match settings.mail_transport:
        case MailTransport.MAILBOX:
            return MailboxTransport(settings.effective_mailbox_dir, settings.mail_clearance)
        case MailTransport.NULL:
            return NullTransport()
        case MailTransport.SMTP:
            from pipeline.transports.smtp import SmtpServer, SmtpTransport  # noqa: PLC0415 - see below

            server = SmtpServer(
                settings.smtp_host,
                settings.smtp_port,
                settings.smtp_tls,
                settings.smtp_username,
                settings.smtp_password.get_secret_value(),
            )
            return SmtpTransport(server, timeout=settings.mail_timeout_seconds, clearance=settings.mail_clearance)
        case MailTransport.SENDGRID:
            # Imported here: the client is slow to load, and most processes send by another way or not at all.
            from pipeline.transports.sendgrid import SendGridTransport  # noqa: PLC0415

            # Ignoring the setting would let somebody believe that full forms are sent.
            if settings.mail_clearance is not DataClass.PUBLIC:
                raise ValueError("mail_clearance: must be public with the sendgrid transport, whose terms exclude more")
            return SendGridTransport(
                settings.sendgrid_api_key.get_secret_value(),
                host=settings.sendgrid_host,
                timeout=settings.mail_timeout_seconds,
                confirms=bool(settings.sendgrid_event_public_keys),
            )
