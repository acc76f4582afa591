"""The setting names the transport."""

from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import SecretStr

from config.screening import DataClass
from config.settings import MailTransport, Settings
from pipeline.transports import SendOutcome, open_transport
from tests.pipeline.transports.messages import send


@pytest.mark.parametrize("name", MailTransport)
def test_each_transport_opens_from_the_settings_alone(name: MailTransport, tmp_path: Path) -> None:
    transport = open_transport(Settings(mail_transport=name, data_dir=tmp_path, sendgrid_api_key=SecretStr("SG.x")))
    assert transport.name == name.value
    assert transport.idempotent == (name in {MailTransport.MAILBOX, MailTransport.NULL})
    transport.close()


@pytest.mark.parametrize(
    ("changes", "named"),
    [({}, "sendgrid_api_key"), ({"sendgrid_api_key": SecretStr("SG.x"), "sendgrid_host": "sendgrid"}, "sendgrid_host")],
)
def test_a_setting_it_cannot_work_with_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        open_transport(Settings(mail_transport=MailTransport.SENDGRID, **changes))


@pytest.mark.parametrize(
    ("name", "tls", "asked", "cleared"),
    [
        *((MailTransport.MAILBOX, "none", each, each) for each in DataClass),  # it stays on this machine
        *((MailTransport.NULL, "none", each, DataClass.PUBLIC) for each in DataClass),
        *((MailTransport.SMTP, tls, each, each) for tls in ("starttls", "tls") for each in DataClass),
        *((MailTransport.SMTP, "none", each, None) for each in DataClass if each is not DataClass.PUBLIC),
        (MailTransport.SMTP, "none", DataClass.PUBLIC, DataClass.PUBLIC),
        *((MailTransport.SENDGRID, "none", each, None) for each in DataClass if each is not DataClass.PUBLIC),
        (MailTransport.SENDGRID, "none", DataClass.PUBLIC, DataClass.PUBLIC),
    ],
)
def test_what_a_transport_may_be_cleared_for(
    name: MailTransport,
    tls: Literal["none", "starttls", "tls"],
    asked: DataClass,
    cleared: DataClass | None,
    tmp_path: Path,
) -> None:
    settings = Settings(
        mail_transport=name,
        mail_clearance=asked,
        smtp_tls=tls,
        data_dir=tmp_path,
        sendgrid_api_key=SecretStr("SG.x"),
    )
    if cleared is None:
        with pytest.raises(ValueError, match="mail_clearance"):
            open_transport(settings)
    else:
        with closing(open_transport(settings)) as transport:
            assert transport.clearance is cleared


def test_without_a_setting_nothing_is_cleared_and_only_events_confirm(tmp_path: Path) -> None:
    for name in MailTransport:
        settings = Settings(mail_transport=name, data_dir=tmp_path, sendgrid_api_key=SecretStr("SG.x"))
        with closing(open_transport(settings)) as transport:
            assert transport.clearance is DataClass.PUBLIC
            assert not transport.confirms
        keyed = settings.model_copy(update={"sendgrid_event_public_keys": "key"})
        with closing(open_transport(keyed)) as transport:
            assert transport.confirms == (name is MailTransport.SENDGRID)


def test_null_accepts_at_once() -> None:
    transport = open_transport(Settings(mail_transport=MailTransport.NULL))
    assert send(transport).outcome is SendOutcome.ACCEPTED
