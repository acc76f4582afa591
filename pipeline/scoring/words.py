"""Plain words for verdicts, in English and Spanish, for criteria that bring none of their own.

They say how answers and published criteria compare. They never say that a treatment works, nor what a person should do.
"""

from config.criteria import AgeRange, Distance, Leaf, NumberRange, subject
from config.providers import ProductStatus
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
    "severity": LocalizedText(en="effect on daily life, 0 to 10", es="efecto en la vida diaria, de 0 a 10"),
    "sex_at_birth": LocalizedText(en="sex recorded at birth", es="sexo registrado al nacer"),
    "submitter": LocalizedText(en="who filled in the form", es="quién llenó el formulario"),
    "timeframe": LocalizedText(en="when to begin", es="cuándo empezar"),
    "treatment_goals": LocalizedText(en="goals", es="objetivos"),
    "treatment_interests": LocalizedText(en="interests", es="intereses"),
}
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
    "severity": LocalizedText(
        en="How much it affects daily life is within what this program takes.",
        es="Cuánto afecta la vida diaria está dentro de lo que acepta este programa.",
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

NOTHING_EXCLUDED = LocalizedText(
    en="Nothing you told us is among what this program excludes.",
    es="Nada de lo que indicó está entre lo que este programa excluye.",
)
NOT_KNOWN = LocalizedText(en="We do not know: {noun}.", es="No sabemos: {noun}.")
CRITERION_FITS = LocalizedText(en="Your criterion is met: {noun}.", es="Se cumple su criterio: {noun}.")
CRITERION_UNKNOWN = LocalizedText(en="Not known yet: {noun}.", es="Todavía no se sabe: {noun}.")
NO_EXCLUSION = LocalizedText(
    en="None of your exclusions applies to the answers.", es="Ninguna de sus exclusiones se aplica a las respuestas."
)

NOT_MEDICAL_ADVICE = LocalizedText(
    en="These are providers whose published criteria fit your answers; this is not medical advice.",
    es="Son proveedores cuyos criterios publicados corresponden a sus respuestas; esto no es un consejo médico.",
)
PRODUCT_NOTICES = {
    ProductStatus.UNAPPROVED_THERAPY: LocalizedText(
        en=(
            "What this program offers has not been approved by the U.S. Food and Drug Administration (FDA). "
            "It has not been established that it is safe or that it works."
        ),
        es=(
            "Lo que ofrece este programa no está aprobado por la Administración de Alimentos y Medicamentos de EE. UU. "
            "(FDA). No se ha establecido que sea seguro ni que funcione."
        ),
    ),
    ProductStatus.INVESTIGATIONAL: LocalizedText(
        en=(
            "This is research. What is studied has not been approved by the U.S. Food and Drug Administration (FDA), "
            "and whether it is safe and works is what the study asks. Taking part is voluntary."
        ),
        es=(
            "Esto es una investigación. Lo que se estudia no está aprobado por la Administración de Alimentos y "
            "Medicamentos de EE. UU. (FDA), y el estudio pregunta si es seguro y si funciona. Participar es voluntario."
        ),
    ),
}
IRB_NOTICE = LocalizedText(
    en=(
        "{board} (number {number}) reviewed how the study protects the people in it. "
        "Approval by an institutional review board (IRB) is not approval by the FDA."
    ),
    es=(
        "{board} (número {number}) revisó cómo el estudio protege a sus participantes. "
        "La aprobación de un comité de ética (IRB) no es una aprobación de la FDA."
    ),
)


def noun(leaf: Leaf, language: str) -> str:
    """What a leaf asks about, with its published limits if it has numbers; never an answer."""
    name = _NOUNS.get(subject(leaf), _OTHER_NOUN).in_language(language)
    match leaf:
        case NumberRange():
            return f"{name} ({_span(leaf.at_least, leaf.at_most, language)})"
        case AgeRange():
            return f"{name} ({_span(leaf.age.at_least, leaf.age.at_most, language)})"
        case Distance() if leaf.distance != "travel":
            return f"{name} ({_limit(leaf.distance, language)})"
        case _:
            return name


def fits(leaf: Leaf, language: str) -> str:
    """One sentence to the person for a met leaf: its own words, else the usual ones for its subject."""
    if leaf.person is not None:
        return leaf.person.in_language(language)
    if isinstance(leaf, Distance):
        if leaf.distance == "travel":
            return _NEAR_TRAVEL.in_language(language)
        return _NEAR_LIMIT.in_language(language).format(limit=_limit(leaf.distance, language))
    return _FITS.get(subject(leaf), _OTHER_FITS).in_language(language)


def _span(at_least: int | None, at_most: int | None, language: str) -> str:
    if at_least is None:
        return f"hasta {at_most}" if language == "es" else f"up to {at_most}"
    if at_most is None:
        return f"{at_least} o más" if language == "es" else f"{at_least} or more"
    return f"de {at_least} a {at_most}" if language == "es" else f"{at_least} to {at_most}"


def _limit(distance: str, language: str) -> str:
    return distance.replace("miles", "millas") if language == "es" else distance
