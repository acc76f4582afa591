"""Who a command is about, read from standard input: on a command line every user of the machine could read it."""

import sys

import typer

from cli.console import say
from cli.failures import WRONG_USE, fail
from pipeline.context import Context
from pipeline.erasure import people
from pipeline.operations.opening import operator
from pipeline.people import NotAPerson, Who, read_who

NONE_FOUND = "there is no submission of this person, or none that was not erased"


def read_person() -> Who:
    """Email address, date of birth and first name, a line each; or the end of the command: wrong use."""
    if sys.stdin.isatty():
        lines = [str(typer.prompt(name, err=True)) for name in ("Address", "Date of birth (1980-05-17)", "First name")]
    else:
        lines = [sys.stdin.readline() for _ in range(3)]
    try:
        return read_who(*lines)
    except NotAPerson as mistake:
        fail(f"standard input: {mistake}", WRONG_USE)


def find_person(context: Context) -> people.OfPerson:
    """All submissions of the person on standard input; that they were looked for is on record."""
    found = people.find(context, operator(), read_person())
    if found.same_address:
        say(f"{found.same_address} more of the same address are not of this person, or spell the name otherwise")
    return found
