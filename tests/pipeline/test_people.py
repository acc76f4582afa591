"""A person is found by what somebody types, however the address is spelt."""

import pytest

from pipeline.context import Context
from pipeline.erasure import people
from pipeline.people import NotAPerson, read_who
from tests.config.shipped import ANSWERS
from tests.pipeline.erasure.cases import STAFF
from tests.pipeline.secure_pages.links import BORN
from tests.support.submissions import submit
from tests.support.work import drain

FIRST_NAME = str(ANSWERS["first_name"])


def test_an_internationalised_domain_is_found_in_both_spellings(sqlite_context: Context) -> None:
    context = sqlite_context
    kept = submit(context, email="ana@Müller.de").submission_id
    drain(context)
    for address in ("ana@müller.de", " ANA@XN--MLLER-KVA.DE\u200b\n"):
        who = read_who(address, BORN, FIRST_NAME)
        assert [each.submission_id for each in people.find(context, STAFF, who).submissions] == [kept]


@pytest.mark.parametrize("address", ["", "ana", "añá@example.org"])
def test_an_address_that_no_form_could_give_is_nobodys(address: str) -> None:
    with pytest.raises(NotAPerson, match="first line has to be an email address"):
        read_who(address, BORN, FIRST_NAME)
