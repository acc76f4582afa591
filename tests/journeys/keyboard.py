"""Filling in the screening form by Tab, arrows, Space, Enter and typing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from babel import Locale
from playwright.sync_api import Page

from config.screening import Question, QuestionType
from tests.config.shipped import CONDITIONS, SCREENING

_MOST_STOPS = 150
_DATE_ORDER = {"en": ("month", "day", "year"), "es": ("day", "month", "year")}
_FOCUSED = "(({name, value, checked, id}) => ({name, value, checked, id}))(document.activeElement)"


@dataclass(frozen=True, slots=True)
class Keyboard:
    """The keyboard in front of a page. It only goes forward, as a person does who reads on."""

    page: Page

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    @property
    def focused(self) -> dict[str, Any]:
        """Name, value, state and id of the element that has the focus."""
        found: dict[str, Any] = self.page.evaluate(_FOCUSED)
        return found

    def tab_to(self, name: str, value: str | None = None) -> None:
        """Press Tab until the field (and of several boxes, the one) has the focus."""
        for _ in range(_MOST_STOPS):
            self.press("Tab")
            focused = self.focused
            if focused.get("name") == name and value in {None, focused.get("value")}:
                return
        raise AssertionError(f"{name} is not reached by Tab")

    def type(self, name: str, text: str) -> None:
        """Go to a line and type: what was there is selected on arrival, so it is replaced."""
        self.tab_to(name)
        self.page.keyboard.type(text)

    def choose(self, name: str, value: str) -> None:
        """Go to a group of radio buttons and choose one."""
        self.tab_to(name)
        for _ in range(_MOST_STOPS):
            if self.focused["value"] == value:
                if not self.focused["checked"]:
                    self.press("Space")
                return
            self.press("ArrowDown")
        raise AssertionError(f"{name} has no {value}")

    def tick(self, name: str, value: str) -> None:
        """Go to a box and tick it."""
        self.tab_to(name, value)
        self.press("Space")

    def pick(self, name: str, label: str, value: str) -> None:
        """Go to a list and find an entry by typing how it begins."""
        self.type(name, label)
        assert self.focused["value"] == value

    def fill_in(self, answers: Mapping[str, Any], language: str) -> None:
        """Answer the questions of the form that have an answer, in the order in which they stand."""
        for section in SCREENING.sections:
            for name in section.questions:
                if name in answers:
                    self.answer(SCREENING.question(name), answers[name], language)

    def answer(self, question: Question, answer: Any, language: str) -> None:
        """Answer one question."""
        name = question.id
        match question.type:
            case QuestionType.DATE:
                self._type_date(name, answer, language)
            case QuestionType.CONDITION:
                self.pick(name, CONDITIONS.by_id[answer].label.in_language(language), answer)
            case QuestionType.COUNTRY:
                self.pick(name, Locale.parse(language).territories[answer], answer)
            case QuestionType.CHOICES:
                for option in sorted(answer, key=[option.id for option in question.options].index):
                    self.tick(name, option)
            case QuestionType.CONSENT:
                self.tick(name, answer)
            case QuestionType.CHOICE | QuestionType.LANGUAGE:
                self.choose(name, answer)
            case QuestionType.INTEGER if name == "severity":
                self.choose(name, str(answer))
            case _:
                self.type(name, str(answer))

    def _type_date(self, name: str, date: str, language: str) -> None:
        parts = dict(zip(("year", "month", "day"), date.split("-"), strict=True))
        for part in _DATE_ORDER[language]:
            self.type(f"{name}-{part}", parts[part])
