"""What can be wrong with an answer, and how that is said to the person. Nothing here ever holds the answer itself."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """The rule that an answer broke."""

    REQUIRED = "required"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_OPTION = "unknown_option"
    UNKNOWN_CONDITION = "unknown_condition"
    UNKNOWN_COUNTRY = "unknown_country"
    TOO_LONG = "too_long"
    CONTROL_CHARACTERS = "control_characters"
    NOT_AN_EMAIL = "not_an_email"
    NOT_A_PHONE = "not_a_phone"
    NOT_A_DATE = "not_a_date"
    NOT_A_WHOLE_NUMBER = "not_a_whole_number"
    NOT_A_POSTAL_CODE = "not_a_postal_code"
    OUT_OF_RANGE = "out_of_range"
    FUTURE_DATE = "future_date"
    TOO_LONG_AGO = "too_long_ago"
    MINOR_NEEDS_GUARDIAN = "minor_needs_guardian"
    CONSENT_NEEDED = "consent_needed"
    CONSENT_OUTDATED = "consent_outdated"


# What a program that sends answers can get right by following the schema; the rest is between us and the person.
STRUCTURAL = frozenset(Rule) - {
    Rule.REQUIRED,
    Rule.FUTURE_DATE,
    Rule.TOO_LONG_AGO,
    Rule.MINOR_NEEDS_GUARDIAN,
    Rule.CONSENT_NEEDED,
    Rule.CONSENT_OUTDATED,
}

_MESSAGES = {
    Rule.REQUIRED: ("Please answer this question.", "Por favor responda esta pregunta."),
    Rule.WRONG_TYPE: (
        "This answer has a form that we cannot read. Please answer again.",
        "Esta respuesta tiene una forma que no podemos leer. Por favor responda de nuevo.",
    ),
    Rule.UNKNOWN_FIELD: ("This is not a question of the form.", "Esta no es una pregunta del formulario."),
    Rule.UNKNOWN_OPTION: ("Please choose one of the answers.", "Por favor elija una de las respuestas."),
    Rule.UNKNOWN_CONDITION: (
        "We do not know this condition by that name. Please choose one from the list, or “Another condition”.",
        "No conocemos este padecimiento con ese nombre. Por favor elija uno de la lista, u «Otro padecimiento».",
    ),
    Rule.UNKNOWN_COUNTRY: ("Please choose a country from the list.", "Por favor elija un país de la lista."),
    Rule.TOO_LONG: ("Please use at most {maximum} characters.", "Por favor use {maximum} caracteres como máximo."),
    Rule.CONTROL_CHARACTERS: (
        "This contains characters that cannot be shown, such as a line break. Please type it again.",
        "Esto contiene caracteres que no se pueden mostrar, como un salto de línea. Por favor escríbalo de nuevo.",
    ),
    Rule.NOT_AN_EMAIL: (
        "Please enter an email address like name@example.org, without accents before the @.",
        "Por favor escriba un correo electrónico como nombre@example.org, sin acentos antes de la @.",
    ),
    Rule.NOT_A_PHONE: (
        "Please enter a phone number that can be called, with its country code, for example +1 for the United States.",
        "Por favor escriba un número de teléfono válido, con su código de país, por ejemplo +52 para México.",
    ),
    Rule.NOT_A_DATE: (
        "Please enter a date that exists, as year-month-day, for example 1975-03-28.",
        "Por favor escriba una fecha que exista, como año-mes-día, por ejemplo 1975-03-28.",
    ),
    Rule.NOT_A_WHOLE_NUMBER: ("Please enter a whole number.", "Por favor escriba un número entero."),
    Rule.NOT_A_POSTAL_CODE: (
        "Please enter the postal code of the country you chose.",
        "Por favor escriba el código postal del país que eligió.",
    ),
    Rule.OUT_OF_RANGE: (
        "Please enter a number from {minimum} to {maximum}.",
        "Por favor escriba un número de {minimum} a {maximum}.",
    ),
    Rule.FUTURE_DATE: ("This date is in the future.", "Esta fecha está en el futuro."),
    Rule.TOO_LONG_AGO: (
        "This date is more than {maximum} years ago. Please check the year.",
        "Esta fecha es de hace más de {maximum} años. Por favor revise el año.",
    ),
    Rule.MINOR_NEEDS_GUARDIAN: (
        "For a person under 18, a parent or legal guardian has to fill in the form and give their own name.",
        "Si la persona es menor de 18 años, su madre, padre o tutor legal debe llenar el formulario y dar su nombre.",
    ),
    Rule.CONSENT_NEEDED: (
        "We can only go on with your request if you agree to this.",
        "Solo podemos continuar con su solicitud si acepta esto.",
    ),
    Rule.CONSENT_OUTDATED: (
        "This text has changed since you agreed to it. Please read it and agree again.",
        "Este texto cambió desde que lo aceptó. Por favor léalo y acéptelo de nuevo.",
    ),
}


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A rule that the answer to `field` broke; `minimum` and `maximum` are the rule's limits, where it has any."""

    field: str
    rule: Rule
    minimum: int | None = None
    maximum: int | None = None

    def message(self, language: str) -> str:
        """What to do about it, in `en` or `es`."""
        english, spanish = _MESSAGES[self.rule]
        return (spanish if language == "es" else english).format(minimum=self.minimum, maximum=self.maximum)


class Refused(Exception):
    """Raised by a reader: the answer breaks `rule`. Holds no part of the answer."""

    def __init__(self, rule: Rule, minimum: int | None = None, maximum: int | None = None) -> None:
        super().__init__(rule.value)
        self.rule = rule
        self.minimum = minimum
        self.maximum = maximum
