"""The setting names the transport."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.settings import MailTransport, Settings
from pipeline.transports import SendOutcome, open_transport
from tests.pipeline.transports.messages import message


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


def test_null_accepts_at_once() -> None:
    transport = open_transport(Settings(mail_transport=MailTransport.NULL))
    assert transport.send(message()).outcome is SendOutcome.ACCEPTED
