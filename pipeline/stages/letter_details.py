"""The facts of full forms: read in bulk for a transport that is cleared for them, and put into words letter by letter.

They are what the page behind the letter's link shows, made by the same functions, less what has no place in an inbox:
who the person is, and how to reach it.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, Row

from config.providers import ProviderDocument
from config.screening import DataClass
from pipeline.context import Context
from pipeline.email.details import (
    Details,
    Fact,
    InformationNeededDetails,
    RecommendationDetails,
    RecommendedProgram,
    ReferralDetails,
)
from pipeline.email.kinds import RULES, EmailKind
from pipeline.email.leaks import has_links
from pipeline.protected import Disclosure, Protected
from pipeline.protected_parts import open_answers, open_assessment
from pipeline.providers import NetworkInForce, read_documents
from pipeline.referral import read_matches
from pipeline.scoring.explanation import explain_to_provider
from pipeline.scoring.rank import Match
from pipeline.scoring.record import ProgramRecord
from pipeline.secure_pages.asking import questions_of, undecided
from pipeline.secure_pages.person import Recommended, by_expert, condition_in_words, recommended
from pipeline.secure_pages.provider import read_referred, referral_facts
from pipeline.secure_pages.wording import Wording
from pipeline.submission import Sealed
from pipeline.vault import SealBroken


@dataclass(frozen=True, slots=True)
class Material:
    """What a letter's details are made of, beside the sealed parts: by kind, the one or the other."""

    documents: Mapping[uuid.UUID, ProviderDocument]
    matches: Sequence[Match] = ()
    waiting: Sequence[ProgramRecord] = ()
    referred: Row[Any] | None = None


def cleared_kinds(clearance: DataClass) -> frozenset[EmailKind]:
    """The kinds whose full form may leave by a transport with this clearance."""
    return frozenset(
        kind
        for kind, rules in RULES.items()
        if rules.full_form_holds is not None and clearance.covers(rules.full_form_holds)
    )


def read_material(
    context: Context,
    connection: Connection,
    in_force: NetworkInForce,
    rows: Sequence[Any],
    sealed: Mapping[uuid.UUID, Sealed],
) -> dict[uuid.UUID, Material]:
    """By email id, for the rows of emails whose full form may be sent. What cannot be read has none."""
    if not rows:
        return {}
    of_kind: dict[EmailKind, list[Any]] = {kind: [] for kind in EmailKind}
    for row in rows:
        if row.submission_id in sealed:
            of_kind[EmailKind(row.kind)].append(row)
    results, questions = of_kind[EmailKind.RECOMMENDATION], of_kind[EmailKind.INFORMATION_NEEDED]
    matches = read_matches(connection, {row.submission_id for row in results}) if results else {}
    waiting = {row.id: _waiting(context, sealed[row.submission_id]) for row in questions}
    ids = [row.subject_id for row in of_kind[EmailKind.REFERRAL]]
    referred = read_referred(connection, ids) if ids else {}
    versions = {match.provider_version_id for each in matches.values() for match in each}
    versions |= {record.provider_version_id for each in waiting.values() for record in each}
    versions |= {row.provider_version_id for row in referred.values()}
    documents = _documents(connection, in_force, versions)
    return {
        row.id: Material(
            documents,
            matches.get(row.submission_id, ()) if row.kind == EmailKind.RECOMMENDATION else (),
            waiting.get(row.id, ()),
            referred.get(row.subject_id),
        )
        for each in of_kind.values()
        for row in each
    }


def _waiting(context: Context, sealed: Sealed) -> tuple[ProgramRecord, ...]:
    try:
        return undecided(context, sealed)
    except (LookupError, SealBroken):
        return ()


def _documents(
    connection: Connection, in_force: NetworkInForce, versions: set[uuid.UUID]
) -> dict[uuid.UUID, ProviderDocument]:
    known = {id_: in_force.documents[id_] for id_ in versions & in_force.documents.keys()}
    missing = versions - known.keys()
    return known | (read_documents(connection, missing) if missing else {})


class LetterDetails:
    """Puts material and sealed parts into words."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._by_kind: Mapping[EmailKind, Callable[[Sealed, Material, str, Disclosure], Details | None]] = {
            EmailKind.RECOMMENDATION: self._recommendation,
            EmailKind.INFORMATION_NEEDED: self._information_needed,
            EmailKind.REFERRAL: self._referral,
        }

    def of(
        self, kind: EmailKind, sealed: Sealed, material: Material, language: str, disclosure: Disclosure
    ) -> Protected[Details] | None:
        """None if they cannot be built (any more), or hold a web address, which mail programs make a link of."""
        try:
            details = self._by_kind[kind](sealed, material, language, disclosure)
        except (LookupError, SealBroken):
            return None
        if details is None or has_links(orjson.dumps(details).decode()):
            return None
        return Protected(details, DataClass.HEALTH)

    def _recommendation(
        self, sealed: Sealed, material: Material, language: str, disclosure: Disclosure
    ) -> RecommendationDetails | None:
        answers = open_answers(self._context, sealed)
        explanation = disclosure.reveal(open_assessment(self._context, sealed))
        wording = self._wording(language)
        country = str(disclosure.reveal(answers["country"]))
        condition, evidence = condition_in_words(wording, answers, disclosure)
        programs = recommended(material.matches, material.documents, explanation, wording, country)
        if not programs:
            return None
        return RecommendationDetails(
            condition=condition,
            evidence=evidence.level if evidence else None,
            source=evidence.citation if evidence else None,
            expert_decided=by_expert(explanation),
            programs=tuple(recommended_program(each, language) for each in programs),
        )

    def _information_needed(
        self,
        sealed: Sealed,
        material: Material,
        language: str,
        disclosure: Disclosure,  # noqa: ARG002 - the questions are asked without the answers so far
    ) -> InformationNeededDetails | None:
        questions = questions_of(self._context, sealed, material.waiting, material.documents, language)
        return InformationNeededDetails(tuple(each.wording for each in questions)) if questions else None

    def _referral(
        self, sealed: Sealed, material: Material, language: str, disclosure: Disclosure
    ) -> ReferralDetails | None:
        row = material.referred
        if row is None:
            return None
        document = material.documents[row.provider_version_id]
        explanation = disclosure.reveal(open_assessment(self._context, sealed))
        comparison = explain_to_provider(explanation, document, row.provider_version_id, row.program_id, language)
        lines = referral_facts(self._wording(language), sealed, open_answers(self._context, sealed), disclosure)
        return ReferralDetails(
            program_name=document.program(row.program_id).name.in_language(language),
            received_on=sealed.received_at.astimezone(ZoneInfo(document.time_zone)).date(),
            facts=tuple(Fact(line.label, line.value) for line in lines),
            met=comparison.met,
            borderline=comparison.borderline,
            not_known=comparison.not_known,
        )

    def _wording(self, language: str) -> Wording:
        return Wording(self._context.screening, self._context.conditions, language)


def recommended_program(found: Recommended, language: str) -> RecommendedProgram:
    """What the person's page shows of a program, for the full email."""
    return RecommendedProgram(
        provider_name=found.document.name,
        program_name=found.program.name.in_language(language),
        kind=found.program.kind.value,
        summary=found.program.summary.in_language(language),
        locations=found.locations,
        reasons=found.explanation.reasons,
        not_known=found.explanation.not_known,
        notices=found.explanation.notices,
    )
