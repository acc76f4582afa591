"""What `email check` looks at: words in files, rendered emails, and what a person's page shows of every program."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.claims import reviewed_claims
from config.conditions import load_conditions
from config.providers import Program, ProviderDocument, load_providers
from config.screening import load_screening
from config.settings import Settings
from pipeline.claims.emails import email_findings, every_sample
from pipeline.claims.findings import Finding
from pipeline.claims.required import EMAIL_RENDERINGS, Rendering, as_recommended, notice_findings, unsendable
from pipeline.claims.shown import shown_text
from pipeline.claims.sources import (
    SCRIPTS,
    catalogue_findings,
    condition_findings,
    module_findings,
    provider_findings,
    screening_findings,
    template_files,
    template_findings,
)
from pipeline.secure_pages.person import PersonView
from pipeline.status import SubmissionStatus
from web.links_service import person_page
from web.pages import TEMPLATES, Pages


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, in the order of files, and how much was looked at."""

    findings: list[Finding]
    emails: int
    """Rendered from samples: every kind, form, sample and language."""
    templates: int
    programs: int
    """0 if the provider file is refused: programs are looked at when it can be read."""
    phrases: int

    @property
    def summary(self) -> str:
        found = f"{len(self.findings)} finding{'' if len(self.findings) == 1 else 's'}"
        looked_at = f"{self.emails} emails rendered, {self.templates} templates, {self.programs} programs"
        return f"{found} ({looked_at}; {self.phrases} phrases looked for)"


def everything(settings: Settings, providers: Path) -> Looked:
    """Look at all there is.

    Raises:
        ConfigurationMistake: questions or conditions cannot be read. `CannotBeRead` also for the provider file.
    """
    screening, conditions = load_screening(settings.screening_file), load_conditions(settings.conditions_file)
    refused = list(provider_findings(providers, screening, conditions))
    programs = 0
    findings = [
        *template_findings(),
        *template_findings(SCRIPTS),
        *catalogue_findings(),
        *module_findings(),
        *screening_findings(settings.screening_file),
        *condition_findings(settings.conditions_file),
        *email_findings(),
    ]
    if not refused:
        documents = load_providers(providers, screening, conditions).providers
        programs = sum(len(document.programs) for document in documents)
        renderings = {**EMAIL_RENDERINGS, **_page_renderings(settings)}
        refused = [*unsendable(documents), *notice_findings(documents, renderings)]
    return Looked(
        findings=sorted({*findings, *refused}),
        emails=sum(1 for _ in every_sample()),
        templates=sum(1 for _ in template_files()),
        programs=programs,
        phrases=len(reviewed_claims().phrases),
    )


def _page_renderings(settings: Settings) -> Mapping[tuple[Path, str], Rendering]:
    pages = Pages(settings)

    def page_text(document: ProviderDocument, program: Program, language: str) -> str:
        shown = as_recommended(document, program, language)
        view = PersonView(language, "CR-0000-0000", SubmissionStatus.CANDIDATE, recommended=(shown,))
        context = {"page": person_page(view), "reception": None, "questions": (), "address": "", "query": ""}
        return shown_text(bytes(pages.render("recommendations.html", language, context).body).decode())

    return {(TEMPLATES / "recommendations.html", "page"): page_text}
