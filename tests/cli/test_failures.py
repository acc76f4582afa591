"""What goes wrong without anybody's mistake at the terminal is told there, without a traceback."""

import pytest
from sqlalchemy import update

from pipeline.models import SealedDocument
from tests.cli.conftest import Careroute
from tests.pipeline.operations.reviewing import CONTRADICTION, in_review
from tests.support.installations import Installation
from tests.support.work import status_of


@pytest.mark.parametrize(
    "arguments",
    [
        ("review", "show", "ID"),
        ("review", "decide", "ID", "--candidate", "--reason", "It fits.", "--yes"),
        ("score", "--submission", "ID"),
    ],
)
def test_a_document_that_was_altered_is_a_plain_failure(
    careroute: Careroute, sqlite_installation: Installation, arguments: tuple[str, ...]
) -> None:
    context = sqlite_installation.context()
    kept = in_review(context, **CONTRADICTION)
    with context.database.write() as connection:
        connection.execute(update(SealedDocument).values(ciphertext=b"x" * 40))
    result = careroute(*(kept.reference if each == "ID" else each for each in arguments))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"of submission {kept.submission_id} does not open" in result.stderr
    assert status_of(context, kept.submission_id) == "needs_review"
