"""The kinds of email Careroute sends. The value is the name of the folder under `templates/email/`."""

from enum import StrEnum


class EmailKind(StrEnum):
    CONFIRMATION = "confirmation"
    PLEASE_CORRECT = "please-correct"
    JOINED = "joined"
    IN_REVIEW = "in-review"
    INFORMATION_NEEDED = "information-needed"
    RECOMMENDATION = "recommendation"
    NO_MATCH = "no-match"
    REFERRAL = "referral"
    ONE_TIME_CODE = "one-time-code"
