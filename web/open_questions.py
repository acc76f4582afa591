"""The questions on a person's page whose answers would decide the request, as fields like those of the hosted form."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from config.conditions import Conditions
from config.screening import Screening
from pipeline.validation import FieldProblem
from web.form import typed_as
from web.form_view import Field, FormView
from web.services import OpenQuestion


@dataclass(frozen=True, slots=True)
class Questionnaire:
    """Builds the fields in one language."""

    screening: Screening
    conditions: Conditions
    language: str

    def fields(
        self,
        questions: Sequence[OpenQuestion],
        typed: Mapping[str, Sequence[str]] | None = None,
        problems: Iterable[FieldProblem] = (),
    ) -> tuple[Field, ...]:
        """A field for each question, filled with what was just `typed`, or else with the answers so far."""
        wordings = {each.question_id: each.wording for each in questions}
        filled = self._answered(questions) if typed is None else typed
        return FormView(self.screening, self.conditions, self.language).asked_alone(wordings, filled, problems)

    def _answered(self, questions: Sequence[OpenQuestion]) -> dict[str, tuple[str, ...]]:
        filled: dict[str, tuple[str, ...]] = {}
        for each in questions:
            if each.answer is not None:
                filled |= typed_as(self.screening.question(each.question_id), each.answer)
        return filled
