"""`doctor`'s checks: everything a process needs, one after another, each with what to do about it.

A failure means that a process would not start or could not work, or would write to people in an invented name; a
warning, that something will be missed.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from config.conditions import load_conditions
from config.event_keys import read_event_keys
from config.providers import load_providers
from config.screening import load_screening
from config.settings import PREFIX, MailTransport, Settings
from config.sources import load_sources
from config.yaml_file import ConfigurationMistake
from pipeline.audit.signing import PRIVATE_FILE
from pipeline.consent.stopped import unknown_texts
from pipeline.db import Database
from pipeline.email.kinds import RULES, WhenUncertain
from pipeline.email.message import Sender
from pipeline.keys import KeyProblem, KeyPurpose, load_keysets
from pipeline.models import ProviderVersion
from pipeline.operations.opening import open_database, open_keys
from pipeline.schema import SchemaProblem
from pipeline.transports import open_transport

LEAVES_THIS_MACHINE = frozenset({MailTransport.SENDGRID, MailTransport.SMTP})
_ADDRESSES = ("mail_from", "contact_email")
_WHO_WRITES = (*_ADDRESSES, "mail_from_name", "postal_address", "organisation_name")


class Outcome(StrEnum):
    """`warning` does not fail the whole; a `note` says what is needed, and judges nothing."""

    NOTE = "note"
    GOOD = "good"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, and what to do if it is not good."""

    name: str
    outcome: Outcome
    told: str


def run_checks(
    settings: Settings, broker_answers: Callable[[str], bool], secrets_folder: Path | None = None
) -> Iterator[Check]:
    """All checks. `broker_answers` asks a broker by its URL. `secrets_folder` is where a machine of one's own keeps
    sources' secrets that are not in the environment.
    """
    yield from _files(settings, secrets_folder)
    yield _keys(settings)
    yield from _database(settings)
    yield from _consent_texts(settings)
    yield _broker(settings, broker_answers)
    yield from _mail(settings)
    yield from _receipts(settings)


def _files(settings: Settings, secrets_folder: Path | None) -> Iterator[Check]:
    try:
        screening = load_screening(settings.screening_file)
        yield Check("questions", Outcome.GOOD, f"{len(screening.questions)} in {settings.screening_file}")
        conditions = load_conditions(settings.conditions_file)
        yield Check("conditions", Outcome.GOOD, f"{len(conditions.by_id)} in {settings.conditions_file}")
        providers = load_providers(settings.providers_file, screening, conditions).providers
        yield Check("providers", Outcome.GOOD, f"{len(providers)} in {settings.providers_file}")
        sources = load_sources(settings.sources_file, os.environ, screening)
    except ConfigurationMistake as mistake:
        yield Check("files", Outcome.FAILED, str(mistake))
        return
    yield Check("sources", Outcome.GOOD, f"{len(sources.by_id)} in {settings.sources_file}")
    made = {path.name for path in secrets_folder.glob("*")} if secrets_folder else set()
    for name in sorted(set(sources.missing_secrets) - made):
        told = f"{name} is not set here: a web process without it refuses what is sent with it"
        yield Check("secret", Outcome.WARNING, told)


def _needed(settings: Settings) -> frozenset[KeyPurpose]:
    """The keysets that must be there: with the key that signs and neither `vault` nor `index`, it is a sequencer's
    folder, which is to hold no key of people's data.
    """
    folder = settings.effective_keys_dir
    peoples = any((folder / f"{purpose}.json").exists() for purpose in (KeyPurpose.VAULT, KeyPurpose.INDEX))
    sequencers = (folder / PRIVATE_FILE).exists() and not peoples
    return frozenset({KeyPurpose.AUDIT}) if sequencers else frozenset(KeyPurpose)


def _keys(settings: Settings) -> Check:
    needed = _needed(settings)
    try:
        load_keysets(settings.effective_keys_dir, purposes=needed)
    except KeyProblem as problem:
        if settings.may_create_keys and not settings.effective_keys_dir.exists():
            return Check("keys", Outcome.WARNING, "not there yet: the first `careroute up` or `migrate` makes them")
        return Check("keys", Outcome.FAILED, str(problem))
    only = "" if needed == frozenset(KeyPurpose) else ", for the lane sequence only"
    return Check("keys", Outcome.GOOD, f"in {settings.effective_keys_dir}{only}")


def _database(settings: Settings) -> Iterator[Check]:
    try:
        with open_database(settings) as database:
            yield Check("database", Outcome.GOOD, "answers, and has this version's schema")
            open_keys(settings, database, _needed(settings))
            yield Check("database keys", Outcome.GOOD, "written with these keysets")
            if not _has_providers(database):
                yield Check("network", Outcome.WARNING, "no provider is published: run `careroute migrate`")
    except (SchemaProblem, KeyProblem) as problem:
        yield Check("database", Outcome.FAILED, str(problem))
    except DBAPIError as error:
        told = f"does not answer ({type(error.orig).__name__}): check CAREROUTE_DATABASE_URL, and that it is up"
        yield Check("database", Outcome.FAILED, told)


def _consent_texts(settings: Settings) -> Iterator[Check]:
    """Whether what requests agreed to is still known. What keeps it from being read, other checks tell."""
    try:
        consent = load_screening(settings.screening_file).consent("consent_share")
        with open_database(settings) as database, database.read() as connection:
            unknown = unknown_texts(connection, [text.version for text in consent.versions])
    except (ConfigurationMistake, SchemaProblem, DBAPIError):
        return
    if unknown:
        told = (
            f"{settings.screening_file} has no consent_share of version {', '.join(unknown)} any more: requests that "
            "agreed to it are offered to nobody. Put its text back under `earlier:`, then run `careroute migrate`"
        )
        yield Check("consent texts", Outcome.WARNING, told)


def _broker(settings: Settings, broker_answers: Callable[[str], bool]) -> Check:
    if not settings.broker_url:
        return Check("broker", Outcome.WARNING, "CAREROUTE_BROKER_URL is not set: only `up` and `demo` bring their own")
    if broker_answers(settings.broker_url):
        return Check("broker", Outcome.GOOD, "answers")
    # Work goes on without it, since workers also look by themselves; restarting them would not bring it back.
    told = f"does not answer: work is found every {settings.poll_seconds:g} s instead of at once"
    return Check("broker", Outcome.WARNING, told)


def _mail(settings: Settings) -> Iterator[Check]:
    invented = _invented(settings) if settings.mail_transport in LEAVES_THIS_MACHINE else []
    if invented:
        told = f"who writes is invented: set {', '.join(invented)} to what is true; .example is nobody's"
        yield Check("sender", Outcome.FAILED, told)
    yield _transport(settings)
    yield _content(settings)


def _invented(settings: Settings) -> list[str]:
    """The variables that say who writes, as shipped or with an address that nobody can have (RFC 2606, section 2)."""
    return [
        f"{PREFIX}{name.upper()}"
        for name in _WHO_WRITES
        if getattr(settings, name) == Settings.model_fields[name].default
        or (name in _ADDRESSES and getattr(settings, name).strip().lower().endswith(".example"))
    ]


def _content(settings: Settings) -> Check:
    """What bodies may hold; that a clearance does not go with a transport is told where it is opened."""
    clearance = settings.mail_clearance
    full = [kind.value for kind, rules in RULES.items() if (of := rules.full_form_holds) and clearance.covers(of)]
    if not full:
        never = ", and never more with SendGrid" if settings.mail_transport is MailTransport.SENDGRID else ""
        told = f"cleared for {clearance}: no email says anything about a person; pages behind its links do{never}"
        return Check("mail content", Outcome.GOOD, told)
    told = f"cleared for {clearance}: {', '.join(full)} say facts about a person"
    if settings.mail_transport in LEAVES_THIS_MACHINE:
        told += ". Right only if an agreement covers whoever carries the mail, and recipients expect it"
    return Check("mail content", Outcome.NOTE, told)


def _transport(settings: Settings) -> Check:
    transport = settings.mail_transport
    if transport is MailTransport.SENDGRID and not settings.sendgrid_api_key.get_secret_value():
        # The clock's container has none, and needs none.
        told = "CAREROUTE_SENDGRID_API_KEY is not set here: a worker of lane email needs it"
        return Check("mail", Outcome.WARNING, told)
    try:
        Sender.from_settings(settings)
        open_transport(settings).close()
    except (ValueError, OSError) as error:
        return Check("mail", Outcome.FAILED, f"{transport}: {error}")
    if transport is MailTransport.NULL:
        return Check("mail", Outcome.WARNING, "null accepts and forgets every email: for measuring only")
    # An invented sender has a line of its own, and is not to be ticked here.
    sender = "" if settings.mail_from.lower().endswith(".example") else f", from {settings.mail_from}"
    return Check("mail", Outcome.GOOD, f"by {transport}{sender}")


def _receipts(settings: Settings) -> Iterator[Check]:
    if settings.sendgrid_event_public_keys:  # read with the settings: a wrong one does not come so far
        number = len(read_event_keys(settings.sendgrid_event_public_keys))
        yield Check("receipts", Outcome.GOOD, f"believed if signed by SendGrid ({number} configured)")
    elif settings.mail_transport is MailTransport.SENDGRID:
        told = (
            "CAREROUTE_SENDGRID_EVENT_PUBLIC_KEYS is not set: nobody will know what became of an email. Switch on "
            "SendGrid's Signed Event Webhook, for <public URL>/v1/events/sendgrid, and set its verification key"
        )
        yield Check("receipts", Outcome.WARNING, told)
    elif settings.mail_transport is MailTransport.SMTP:
        # Loads the templates' machinery, which no other check needs.
        from pipeline.stages.deliver import HOLD_WITHOUT_RECEIPTS_SECONDS  # noqa: PLC0415

        seconds = min(settings.mail_hold_minutes * 60, HOLD_WITHOUT_RECEIPTS_SECONDS)
        asked = " and ".join(kind.value for kind, rules in RULES.items() if rules.when_uncertain is WhenUncertain.ASK)
        told = (
            f"SMTP brings none: handed over is the last that is known. An email of unknown fate waits {seconds:g} s, "
            f"then is sent again once; {asked} become dead letters, for you to decide"
        )
        yield Check("receipts", Outcome.NOTE, told)


def _has_providers(database: Database) -> bool:
    with database.read() as connection:
        return connection.execute(select(ProviderVersion.id).limit(1)).first() is not None
