"""Plain words for verdicts, in English and Spanish, for criteria that bring none of their own.

They say how answers and published criteria compare. They never say that a treatment works, nor what a person should do.
"""

from config.criteria import (
    LICENSED,
    TRAVEL,
    AgeInMonths,
    AgeRange,
    Distance,
    Leaf,
    NoneOf,
    NumberRange,
    Overlaps,
    Region,
    subject,
)
from config.screening import LocalizedText

_NOUNS = {
    "age": LocalizedText(en="age", es="edad"),
    "budget": LocalizedText(en="budget", es="presupuesto"),
    "condition": LocalizedText(en="condition", es="padecimiento"),
    "contraindications": LocalizedText(en="safety exclusions", es="exclusiones por seguridad"),
    "country": LocalizedText(en="country", es="país"),
    "diagnosis_confirmed": LocalizedText(en="confirmation of the diagnosis", es="confirmación del diagnóstico"),
    "distance": LocalizedText(en="distance to travel", es="distancia que hay que viajar"),
    "language": LocalizedText(en="language", es="idioma"),
    "onset_months": LocalizedText(en="time since it began, in months", es="tiempo desde que empezó, en meses"),
    "prior_treatments": LocalizedText(en="earlier treatments", es="tratamientos anteriores"),
    "region": LocalizedText(en="where the person lives", es="lugar donde vive la persona"),
    "severity": LocalizedText(en="effect on daily life, 0 to 10", es="efecto en la vida diaria, de 0 a 10"),
    "sex_at_birth": LocalizedText(en="sex recorded at birth", es="sexo registrado al nacer"),
    "submitter": LocalizedText(en="who filled in the form", es="quién llenó el formulario"),
    "timeframe": LocalizedText(en="when to begin", es="cuándo empezar"),
    "treatment_goals": LocalizedText(en="goals", es="objetivos"),
    "treatment_interests": LocalizedText(en="interests", es="intereses"),
}
_MONTHS = LocalizedText(en="months", es="meses")
_OTHER_NOUN = LocalizedText(en="another answer", es="otra respuesta")

_FITS = {
    "age": LocalizedText(
        en="The age is within what this program takes.", es="La edad está dentro de lo que acepta este programa."
    ),
    "budget": LocalizedText(
        en="The budget you gave is one this program lists.",
        es="El presupuesto que indicó es uno de los que este programa menciona.",
    ),
    "condition": LocalizedText(
        en="This program lists the condition you named.",
        es="Este programa incluye el padecimiento que usted indicó.",
    ),
    "contraindications": LocalizedText(
        en="You named none of the safety exclusions this program publishes.",
        es="Usted no indicó ninguna de las exclusiones por seguridad que publica este programa.",
    ),
    "country": LocalizedText(
        en="This program takes people from the country you named.",
        es="Este programa recibe personas del país que usted indicó.",
    ),
    "diagnosis_confirmed": LocalizedText(
        en="What you said about the diagnosis is what this program asks for.",
        es="Lo que indicó sobre el diagnóstico es lo que pide este programa.",
    ),
    "language": LocalizedText(en="They speak your language.", es="Hablan su idioma."),
    "onset_months": LocalizedText(
        en="The time since it began is within what this program takes.",
        es="El tiempo desde que empezó está dentro de lo que acepta este programa.",
    ),
    "prior_treatments": LocalizedText(
        en="The treatments you have tried are ones this program asks about.",
        es="Los tratamientos que ha probado son de los que pregunta este programa.",
    ),
    "region": LocalizedText(
        en="This program takes people who live where you do.",
        es="Este programa recibe personas que viven donde usted vive.",
    ),
    "severity": LocalizedText(
        en="How much it affects daily life is within what this program takes.",
        es="Cuánto afecta la vida diaria está dentro de lo que acepta este programa.",
    ),
    "submitter": LocalizedText(
        en="Who filled in the form is as this program asks.",
        es="Quien llenó el formulario es como pide este programa.",
    ),
    "timeframe": LocalizedText(
        en="You would like to begin when this program takes people.",
        es="Usted quisiera empezar cuando este programa recibe personas.",
    ),
    "treatment_goals": LocalizedText(
        en="A goal you named is one this program asks about.",
        es="Un objetivo que usted indicó es de los que pregunta este programa.",
    ),
    "treatment_interests": LocalizedText(
        en="It is about something you want to hear about.", es="Trata de algo sobre lo que usted quiere información."
    ),
}
_OTHER_FITS = LocalizedText(
    en="Another of your answers is what this program asks for.",
    es="Otra de sus respuestas es lo que pide este programa.",
)
_NEAR_TRAVEL = LocalizedText(
    en="It has a location as near as you said you can travel.",
    es="Tiene una sede a la distancia que usted dijo que puede viajar.",
)
_NEAR_LIMIT = LocalizedText(
    en="It has a location within {limit} of your postal code.",
    es="Tiene una sede a {limit} o menos de su código postal.",
)

_LICENSED = LocalizedText(
    en="It says that it is licensed where you live.", es="Indica que tiene licencia donde usted vive."
)
_NOTHING_NAMED = LocalizedText(
    en="Nothing you told us about this is excluded: {noun}.", es="Nada de lo que indicó sobre esto se excluye: {noun}."
)

_NONE_EXCLUDED = LocalizedText(en="{noun}: nothing that you exclude", es="{noun}: nada de lo que usted excluye")

NOTHING_EXCLUDED = LocalizedText(
    en="Nothing you told us is among what this program excludes.",
    es="Nada de lo que indicó está entre lo que este programa excluye.",
)
NO_EXCLUSION = LocalizedText(
    en="None of your exclusions applies to the answers", es="Ninguna de sus exclusiones se aplica a las respuestas"
)

_NOT_KNOWN = LocalizedText(en="We do not know: {noun}.", es="No sabemos: {noun}.")
_NOT_KNOWN_ASKED = LocalizedText(
    en="We do not know: {noun}. This program asks: {ask}", es="No sabemos: {noun}. Este programa pregunta: {ask}"
)
_JUST_OUTSIDE = LocalizedText(
    en="Your answer is just outside of what this program states: {noun}.",
    es="Su respuesta está apenas fuera de lo que indica este programa: {noun}.",
)
_JUST_OUTSIDE_LOOKED_AT = LocalizedText(
    en="Your answer is just outside of what this program states, and an expert has looked at it: {noun}.",
    es="Su respuesta está apenas fuera de lo que indica este programa, y un experto la ha revisado: {noun}.",
)


def noun(leaf: Leaf, language: str) -> str:
    """What a leaf asks about, with its published limits if it has numbers; never an answer."""
    name = _NOUNS.get(subject(leaf), _OTHER_NOUN).in_language(language)
    match leaf:
        case NumberRange():
            return f"{name} ({_span(leaf.at_least, leaf.at_most, language)})"
        case AgeRange():
            return f"{name} ({_span(leaf.age.at_least, leaf.age.at_most, language)})"
        case AgeInMonths():
            months = _MONTHS.in_language(language)
            return f"{name} ({_span(leaf.age_months.at_least, leaf.age_months.at_most, language)} {months})"
        case Distance() if leaf.distance != TRAVEL:
            return f"{name} ({_limit(leaf.distance, language)})"
        case _:
            return name


def fits(leaf: Leaf, language: str) -> str:
    """One sentence to the person for a met leaf: its own words, else the usual ones for its kind and subject."""
    if leaf.person is not None:
        return leaf.person.in_language(language)
    match leaf:
        case Distance() if leaf.distance == TRAVEL:
            return _NEAR_TRAVEL.in_language(language)
        case Distance():
            return _NEAR_LIMIT.in_language(language).format(limit=_limit(leaf.distance, language))
        case Region() if leaf.region == LICENSED:
            return _LICENSED.in_language(language)
        case NoneOf() if leaf.question != "contraindications":
            return _NOTHING_NAMED.in_language(language).format(noun=noun(leaf, language))
        case Overlaps() if leaf.question == "contraindications":
            return _OTHER_FITS.in_language(language)
        case _:
            return _FITS.get(subject(leaf), _OTHER_FITS).in_language(language)


def not_known(leaf: Leaf, language: str) -> str:
    """One sentence to the person for a leaf that could not be compared, with the program's own question if any."""
    if leaf.ask is None:
        return _NOT_KNOWN.in_language(language).format(noun=noun(leaf, language))
    return _NOT_KNOWN_ASKED.in_language(language).format(noun=noun(leaf, language), ask=leaf.ask.in_language(language))


def just_outside(leaf: Leaf, language: str, *, looked_at: bool) -> str:
    """One sentence to the person for an answer just outside of a leaf's limits, and whether an expert looked at it."""
    said = _JUST_OUTSIDE_LOOKED_AT if looked_at else _JUST_OUTSIDE
    return said.in_language(language).format(noun=noun(leaf, language))


def criterion(leaf: Leaf, language: str) -> str:
    """A leaf as a line of a list for the provider."""
    name = noun(leaf, language)
    return name[:1].upper() + name[1:]


def met_criterion(leaf: Leaf, language: str) -> str:
    """A met leaf as a line of a list for the provider."""
    name = criterion(leaf, language)
    return _NONE_EXCLUDED.in_language(language).format(noun=name) if isinstance(leaf, NoneOf) else name


def _span(at_least: int | None, at_most: int | None, language: str) -> str:
    if at_least is None:
        return f"hasta {at_most}" if language == "es" else f"up to {at_most}"
    if at_most is None:
        return f"{at_least} o más" if language == "es" else f"{at_least} or more"
    return f"de {at_least} a {at_most}" if language == "es" else f"{at_least} to {at_most}"


def _limit(distance: str, language: str) -> str:
    return distance.replace("miles", "millas") if language == "es" else distance
