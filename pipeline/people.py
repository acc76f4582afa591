"""Who a person is, and the keyed hash of it by which all their submissions are found (`pipeline.erasure.people`)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from config.plain_name import plain_name
from pipeline.validation import Answer
from pipeline.validation.problems import Refused
from pipeline.validation.readers import read_email
from pipeline.vault import Vault

PERSON_INDEX = "person"


class NotAPerson(ValueError):
    """What was given does not say who somebody is. The message says what is missing, and repeats nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class Who:
    """One person, by what the form asks of everybody. Without a `repr`: it is personal data."""

    email: str
    date_of_birth: dt.date
    first_name: str


def read_who(email: str, date_of_birth: str, first_name: str) -> Who:
    """From what somebody typed. Raises `NotAPerson`."""
    try:
        address = read_email(email)
    except Refused:
        raise NotAPerson("the first line has to be an email address") from None
    try:
        born = dt.date.fromisoformat(date_of_birth.strip())
    except ValueError:
        raise NotAPerson("the second line has to be a date of birth such as 1980-05-17") from None
    if not plain_name(first_name):
        raise NotAPerson("the third line has to be a first name")
    return Who(address, born, first_name)


def person_index(vault: Vault, who: Who) -> bytes:
    """The keyed hash that all submissions of the person have."""
    answers = {"email": who.email, "date_of_birth": who.date_of_birth.isoformat(), "first_name": who.first_name}
    return vault.blind_index(PERSON_INDEX, identity(answers) or "")


def identity(answers: Mapping[str, Answer]) -> str | None:
    """Who it is about: twins may share the address and the day of birth, and one person spells a name in many ways."""
    email, birth = answers.get("email"), answers.get("date_of_birth")
    if not email or not birth:
        return None
    return "\0".join((str(email).casefold(), str(birth), plain_name(str(answers.get("first_name", "")))))
