"""Every setting, typed, read from `CAREROUTE_*` environment variables.

Any variable may instead be given as `CAREROUTE_<NAME>_FILE`, the path of a file that holds the value, so that
container secrets never appear in an environment listing.
"""

import os
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.remote import check_broker_url, host_names, is_local, secure_database_url
from config.screening import DataClass

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "CAREROUTE_"


class MailTransport(StrEnum):
    """How outgoing mail leaves: `null` accepts and forgets, for measuring only."""

    MAILBOX = "mailbox"
    SMTP = "smtp"
    SENDGRID = "sendgrid"
    NULL = "null"


class _ValueFiles(PydanticBaseSettingsSource):
    """Reads `CAREROUTE_<NAME>_FILE` for fields whose own name does not already end so."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - its interface
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        value = Path(path).read_text(encoding="utf-8").rstrip("\r\n") if path else None
        return value, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Settings(BaseSettings):
    """The settings of one process. The defaults are the embedded stack: SQLite and a mailbox folder."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data_dir: Path = Field(default=ROOT / "var", description="Embedded database, keys, logs and mailbox.")
    plaintext_hosts: str = Field(
        default="", description="Remote hosts of database and broker on a network of our own, reached without TLS."
    )
    database_url: str = Field(default="", description="SQLAlchemy URL; empty means SQLite in the data directory.")
    broker_url: str = Field(default="", description="Celery broker URL; empty means the embedded one.")
    keys_dir: Path | None = Field(default=None, description="Folder of vault.json, index.json and audit.json.")

    port: int = Field(default=8000, ge=0, le=65535)
    host: str = "127.0.0.1"
    public_url: str = Field(default="", description="Where people reach the pages; every link is built from it.")
    forwarded_allow_ips: str = Field(default="127.0.0.1", description="Proxies whose X-Forwarded-For is believed.")
    rate_limit_per_minute: int = Field(default=30, ge=1, description="Form posts and code attempts per address.")
    backlog_limit: int = Field(
        default=50_000, ge=1, description="With so many jobs due and waiting, the API and the form answer 503."
    )
    backlog_limit_hooks: int = Field(
        default=500_000, ge=1, description="The same for vendors' webhooks, which they may switch off when refused."
    )
    intake_in_flight: int = Field(
        default=256, ge=1, description="Submissions in hand at once in a web process; as many webhooks beside them."
    )
    requests_per_recipient_per_day: int = Field(
        default=5, ge=1, description="More for one address wait in quarantine: somebody may be flooding it."
    )

    organisation_name: str = "Example Stem Cell Network"
    postal_address: str = "100 Example Avenue, Suite 1, Springfield, IL 62701, USA"
    contact_email: str = "care@careroute.example"

    mail_transport: MailTransport = MailTransport.MAILBOX
    mail_from: str = "care@careroute.example"
    mail_from_name: str = "Example Stem Cell Network"
    mail_reply_to: str = ""
    mail_timeout_seconds: float = Field(default=10.0, gt=0)
    mail_concurrency: int = Field(default=48, ge=1, le=256, description="Calls at once, each over a connection kept.")
    mail_hold_minutes: float = Field(
        default=30.0, gt=0, description="How long an email of unknown fate waits for the provider's word."
    )
    mail_clearance: DataClass = Field(
        default=DataClass.PUBLIC, description="What email bodies may hold: public (nothing), contact or health."
    )
    mailbox_dir: Path | None = None
    mailbox_token: SecretStr = Field(
        default=SecretStr(""), description="Opens /mailbox on this machine; empty: there is no such page."
    )
    smtp_host: str = "localhost"
    smtp_port: int = 25
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_tls: Literal["none", "starttls", "tls"] = "starttls"
    mail_dkim_selectors: str = Field(
        default="", description="For `doctor --dns`, with commas; empty means s1,s2 with SendGrid."
    )
    mail_return_path_domain: str = Field(
        default="", description="For `doctor --dns`: where bounces go, if not to the domain of mail_from."
    )
    sendgrid_api_key: SecretStr = SecretStr("")
    sendgrid_host: str = "https://api.sendgrid.com"
    sendgrid_event_public_keys: str = Field(
        default="", description="Keys of the signed event webhook, as SendGrid shows them; several with commas."
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Whoever sends it as a bearer token may read /metrics from anywhere."
    )

    screening_file: Path = ROOT / "config" / "screening.yaml"
    conditions_file: Path = ROOT / "config" / "conditions.yaml"
    providers_file: Path = ROOT / "config" / "providers.yaml"
    sources_file: Path = ROOT / "config" / "sources.yaml"

    duplicate_window_days: int = Field(default=30, ge=1)
    referral_valid_days: int = Field(default=5, ge=1)
    referral_reminder_days: int = Field(
        default=2, ge=1, description="So long before a referral expires its provider is reminded, if it lasts longer."
    )
    link_valid_days: int = Field(default=30, ge=1)
    poll_seconds: float = Field(default=3.0, gt=0, description="How often a worker looks at its lanes by itself.")
    sweep_seconds: float = Field(default=5.0, gt=0)
    lease_seconds: float | None = Field(default=None, gt=0, description="Overrides every lane's lease.")

    checkpoint_seconds: float = Field(
        default=60.0, gt=0, le=60, description="At most so long after news a checkpoint of the audit log is signed."
    )
    anchor_dir: Path | None = Field(
        default=None, description="Where checkpoints go: meant for another machine's write-once share."
    )
    anchor_url: str = Field(default="", description="HTTPS endpoint outside that is sent each checkpoint as well.")
    anchor_token: SecretStr = Field(default=SecretStr(""), description="Sent to it as a bearer token.")
    erasure_file: Path | None = Field(
        default=None, description="Erasures, outside the database, to be repeated after a restored backup."
    )
    retain_submissions_days: int = Field(
        default=2192, ge=1, description="What people said is erased so long after the last thing that happened to it."
    )
    retain_unread_days: int = Field(
        default=365, ge=1, description="The same for what was rejected, withdrawn, or never read (quarantine)."
    )
    retain_mail_events_days: int = Field(default=365, ge=1, description="What mail providers reported, by event.")
    retain_sessions_days: int = Field(default=30, ge=1, description="One-time codes and sessions, after their end.")
    retain_audit_years: int = Field(
        default=6, ge=6, description="Audit records; then they may be archived (45 CFR 164.316(b)(2)(i))."
    )
    log_format: Literal["console", "json"] = "json"

    @field_validator("organisation_name", "postal_address", "mail_from", "mail_from_name", "mail_reply_to")
    @classmethod
    def _one_printable_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("must be one line without control characters: it is used in message headers")
        return value

    @field_validator("database_url", "broker_url")
    @classmethod
    def _safe_on_the_way(cls, value: str, info: ValidationInfo) -> str:
        plain_hosts = host_names(info.data.get("plaintext_hosts", ""))
        if value and info.field_name == "database_url":
            return secure_database_url(value, plain_hosts)
        if value:
            check_broker_url(value, plain_hosts)
        return value

    @field_validator("sendgrid_event_public_keys")
    @classmethod
    def _event_keys(cls, value: str) -> str:
        if value:
            from config.event_keys import read_event_keys  # noqa: PLC0415 - few processes have any

            read_event_keys(value)
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise ValueError("must be an absolute http(s) URL such as https://screening.example.org")
        if not value.isascii() or not value.isprintable() or set(value) & set(' <>,"'):
            raise ValueError(
                "must be plain ASCII, since message headers hold it; write a name with other letters as xn--…"
            )
        return value.rstrip("/")

    @field_validator("anchor_url")
    @classmethod
    def _anchor_over_tls(cls, value: str) -> str:
        parts = urlsplit(value)
        near = parts.scheme == "http" and parts.hostname and is_local(parts.hostname)
        if value and not near and (parts.scheme != "https" or not parts.hostname):
            raise ValueError("must be an https:// URL (http:// only to this machine: 127.0.0.1, ::1 or localhost)")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - its interface
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - its interface
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _ValueFiles(settings_cls)

    @cached_property
    def embedded_database(self) -> bool:
        """Whether the database is the one in the data directory."""
        return not self.database_url

    @cached_property
    def may_create_keys(self) -> bool:
        """Whether missing keysets are created: only for the embedded database, in its own data directory."""
        inside = self.effective_keys_dir.resolve().is_relative_to(self.data_dir.resolve())
        return self.embedded_database and inside

    @cached_property
    def effective_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'careroute.db'}"

    @cached_property
    def effective_keys_dir(self) -> Path:
        return self.keys_dir or self.data_dir / "keys"

    @cached_property
    def effective_mailbox_dir(self) -> Path:
        return self.mailbox_dir or self.data_dir / "mailbox"

    @cached_property
    def effective_anchor_dir(self) -> Path:
        return self.anchor_dir or self.data_dir / "anchors"

    @cached_property
    def effective_erasure_file(self) -> Path:
        return self.erasure_file or self.data_dir / "erasures.jsonl"

    @cached_property
    def effective_public_url(self) -> str:
        return self.public_url or f"http://127.0.0.1:{self.port}"
