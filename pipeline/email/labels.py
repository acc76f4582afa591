"""Naming the questions to correct without saying anything about health."""

from collections.abc import Iterable

from config.screening import DataClass, Question
from pipeline.translation import translations


def health_label(language: str) -> str:
    """Stands for any question about health: even its label would tell a reader of the inbox what this is about."""
    return translations(language).gettext("One or more of the questions about your health")


def labels_to_correct(questions: Iterable[Question], language: str) -> tuple[str, ...]:
    """Labels for `PleaseCorrect.fields`, in the given order, without repeats; all health questions share one label."""
    return tuple(
        dict.fromkeys(
            health_label(language) if question.data_class is DataClass.HEALTH else question.label.in_language(language)
            for question in questions
        )
    )
