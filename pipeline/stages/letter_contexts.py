"""From a letter to what its email may say."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.context import Context
from pipeline.email import contexts
from pipeline.email.contexts import EmailContext, Organisation
from pipeline.email.kinds import RULES, EmailKind
from pipeline.email.labels import labels_to_correct
from pipeline.engine.stage import PermanentFailure
from pipeline.protected import Disclosure
from pipeline.secure_link import link_url, one_time_code, unsubscribe_url
from pipeline.stages.addressing import Letter
from pipeline.stages.letter_details import LetterDetails
from pipeline.submission import Part


class LetterContexts:
    """Writes each letter's context, by its kind."""

    def __init__(self, context: Context) -> None:
        self._context = context
        settings = context.settings
        self._details = LetterDetails(context)
        self._organisation = Organisation(settings.organisation_name, settings.postal_address, settings.contact_email)
        self._by_kind: Mapping[EmailKind, Callable[[Letter], EmailContext]] = {
            EmailKind.CONFIRMATION: self._only_a_link(contexts.Confirmation),
            EmailKind.JOINED: self._only_a_link(contexts.Joined),
            EmailKind.IN_REVIEW: self._only_a_link(contexts.InReview),
            EmailKind.STATUS_LINK: self._only_a_link(contexts.StatusLink),
            EmailKind.PLEASE_CORRECT: self._please_correct,
            EmailKind.INFORMATION_NEEDED: self._information_needed,
            EmailKind.RECOMMENDATION: self._recommendation,
            EmailKind.NO_MATCH: self._no_match,
            EmailKind.REFERRAL: self._referral,
            EmailKind.REFERRAL_REMINDER: self._referral_reminder,
            EmailKind.REFERRAL_WITHDRAWN: self._referral_withdrawn,
            EmailKind.ONE_TIME_CODE: self._one_time_code,
        }

    def of(self, letter: Letter) -> EmailContext:
        """Raises `PermanentFailure` if what it is about is gone."""
        return self._by_kind[letter.kind](letter)

    def full(self, letter: Letter, context: EmailContext, disclosure: Disclosure) -> EmailContext | None:
        """`context` with its facts, revealed, for the full form; None if they are not there: the notice form does."""
        if letter.material is None or not isinstance(context, contexts.WithDetails):
            return None
        details: Any = self._details.of(letter.kind, letter.sealed, letter.material, letter.language, disclosure)
        return None if details is None else replace(context, details=details).revealed(disclosure)

    def unsubscribe_url(self, letter: Letter) -> str | None:
        """For mail that can be unsubscribed."""
        if not RULES[letter.kind].mail_class.can_be_unsubscribed:
            return None
        return unsubscribe_url(self._context.settings.effective_public_url, self._context.vault, letter.email_id)

    def _only_a_link(self, make: Callable[[str, str, Organisation], EmailContext]) -> Callable[[Letter], EmailContext]:
        return lambda letter: make(letter.reference, self._link(letter), self._organisation)

    def _please_correct(self, letter: Letter) -> EmailContext:
        form = f"{self._context.settings.effective_public_url}/screening?lang={letter.language}"
        problems = letter.sealed.open_json(self._context.vault, Part.PROBLEMS)
        by_id = self._context.screening.by_id
        questions = [by_id[field] for field, _ in problems if field in by_id]
        labels = labels_to_correct(questions, letter.language)
        return contexts.PleaseCorrect(letter.reference, form, self._organisation, labels)

    def _information_needed(self, letter: Letter) -> EmailContext:
        return contexts.InformationNeeded(*self._requested(letter))

    def _recommendation(self, letter: Letter) -> EmailContext:
        return contexts.Recommendation(*self._requested(letter))

    def _no_match(self, letter: Letter) -> EmailContext:
        return contexts.NoMatch(*self._requested(letter))

    def _referral(self, letter: Letter) -> EmailContext:
        return contexts.Referral(letter.reference, self._link(letter), self._organisation, _last_day(letter))

    def _referral_reminder(self, letter: Letter) -> EmailContext:
        return contexts.ReferralReminder(*self._requested(letter), _last_day(letter))

    def _referral_withdrawn(self, letter: Letter) -> EmailContext:
        return contexts.ReferralWithdrawn(letter.reference, self._organisation)

    def _one_time_code(self, letter: Letter) -> EmailContext:
        if letter.subject_id is None:
            raise PermanentFailure("no_code")
        code = one_time_code(self._context.vault, letter.subject_id)
        return contexts.OneTimeCode(letter.reference, code, self._organisation)

    def _requested(self, letter: Letter) -> tuple[str, str, Organisation, str]:
        return letter.reference, self._link(letter), self._organisation, self.unsubscribe_url(letter) or ""

    def _link(self, letter: Letter) -> str:
        return link_url(self._context.settings.effective_public_url, self._context.vault, letter.email_id)


def _last_day(letter: Letter) -> dt.date:
    """The last whole day in the provider's zone on which the referral is open."""
    if letter.provider is None or letter.expires_at is None:
        raise PermanentFailure("referral_closed")
    return letter.expires_at.astimezone(ZoneInfo(letter.provider.time_zone)).date()
