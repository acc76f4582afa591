"""What has to stand beside a program wherever a person sees it, by what regulators say about what it offers.

Sources: the FDA's consumer alert on regenerative medicine products including stem cells and exosomes (22 July 2020:
not approved, harm reported, ask whether the FDA has reviewed it and for the IND number, no oversight in other
countries); 21 CFR 50.25 (research is called research, is voluntary and may be left; risks and costs are told); 21 CFR
312.7(a) (nobody says of an investigational drug that it is safe or works); 21 CFR 56 (what a review board approves).

States that lay down the words in which their practitioners tell patients of stem cell therapies that are not approved:
Florida Statutes 458.3245 and 459.0127 (2025, chapter 2025-185; for advertisements), California Business and Professions
Code 684(b)(1), Utah Code 58-1-512(2). In English they are quoted as the law has them; none of the three asks for them
where an investigational new drug application is in effect. Washington requires such a notice too (RCW
18.130.420); its wording could not be confirmed, so there the FDA's status is told in our own words only. Practitioners
owe these notices; here they are shown so that nobody comes to a program without having read them.
"""

from collections.abc import Mapping

from config.providers import US_ZIP_COUNTRIES, Location, ProductStatus, Program, ProviderDocument
from config.screening import LocalizedText

_NOT_APPROVED = LocalizedText(
    en=(
        "What this program offers has not been approved by the U.S. Food and Drug Administration (FDA). It has not "
        "been established that it is safe or that it works. Serious harm, such as infections, has been reported "
        "after unapproved cell treatments."
    ),
    es=(
        "Lo que ofrece este programa no está aprobado por la Administración de Alimentos y Medicamentos de EE. UU. "
        "(FDA). No se ha establecido que sea seguro ni que funcione. Se han informado daños graves, como "
        "infecciones, después de tratamientos celulares no aprobados."
    ),
)
_ASK_WHETHER_REVIEWED = LocalizedText(
    en=(
        "Before you agree, ask whether the FDA has reviewed it, and ask to see the number of its investigational "
        "new drug application (IND). Ask about risks, costs and other ways to treat the condition, and talk to "
        "your own doctor."
    ),
    es=(
        "Antes de aceptar, pregunte si la FDA lo ha revisado y pida ver el número de su solicitud de nuevo fármaco "
        "en investigación (IND). Pregunte por los riesgos, los costos y otras formas de tratar el padecimiento, y "
        "hable con su propio médico."
    ),
)
_OUTSIDE_THE_US = LocalizedText(
    en=(
        "It is offered outside the United States, where the FDA has no oversight. Ask which authority of that "
        "country has reviewed it, and who looks after you once you are back home."
    ),
    es=(
        "Se ofrece fuera de Estados Unidos, donde la FDA no supervisa. Pregunte qué autoridad de ese país lo ha "
        "revisado y quién le atiende cuando vuelva a casa."
    ),
)
_RESEARCH = LocalizedText(
    en=(
        "This is research. What is studied has not been approved by the U.S. Food and Drug Administration (FDA). "
        "Whether it is safe and works is what the study asks; it may not help you."
    ),
    es=(
        "Esto es una investigación. Lo que se estudia no está aprobado por la Administración de Alimentos y "
        "Medicamentos de EE. UU. (FDA). El estudio pregunta si es seguro y si funciona; puede que no le ayude."
    ),
)
_VOLUNTARY = LocalizedText(
    en=(
        "Taking part is voluntary, and you can stop at any time. Before you agree, ask about the risks, whether "
        "you would have to pay for anything, and for the number of the investigational new drug application (IND) "
        "under which the FDA lets the study go on."
    ),
    es=(
        "Participar es voluntario y puede dejarlo en cualquier momento. Antes de aceptar, pregunte por los "
        "riesgos, si tendría que pagar algo y por el número de la solicitud de nuevo fármaco en investigación "
        "(IND) con la que la FDA permite el estudio."
    ),
)
_APPROVED_USE = LocalizedText(
    en="What is used here is approved for certain uses only. Ask whether yours is one of them.",
    es="Lo que se usa aquí está aprobado solo para ciertos usos. Pregunte si el suyo es uno de ellos.",
)
_REVIEW_BOARD = LocalizedText(
    en=(
        "{board} (number {number}) reviewed how the study protects the people in it. Approval by an institutional "
        "review board (IRB) is not approval by the FDA."
    ),
    es=(
        "{board} (número {number}) revisó cómo el estudio protege a sus participantes. La aprobación de un comité "
        "de ética (IRB) no es una aprobación de la FDA."
    ),
)


def _in_the_words_of(state_es: str, words: str, meaning_es: str) -> LocalizedText:
    """A notice as a state words it; in Spanish what it means, since nobody is helped by words they cannot read."""
    return LocalizedText(
        en=words, es=f"La ley de {state_es} exige este aviso, que en la ley está en inglés: {meaning_es}"
    )


_STATE_NOTICES: Mapping[str, LocalizedText] = {
    "US-CA": _in_the_words_of(
        "California",
        "THIS NOTICE MUST BE PROVIDED TO YOU UNDER CALIFORNIA LAW. This health care practitioner performs one or more "
        "stem cell therapies that have not been approved by the United States Food and Drug Administration. You are "
        "encouraged to consult with your primary care physician prior to undergoing a stem cell therapy.",
        "este profesional de la salud realiza una o más terapias con células madre que no han sido aprobadas por la "
        "Administración de Alimentos y Medicamentos de EE. UU. Se le recomienda consultar a su médico de cabecera "
        "antes de someterse a una terapia con células madre.",
    ),
    "US-FL": _in_the_words_of(
        "Florida",
        "THIS NOTICE MUST BE PROVIDED TO YOU UNDER FLORIDA LAW. This physician performs one or more stem cell "
        "therapies that have not yet been approved by the United States Food and Drug Administration. You are "
        "encouraged to consult with your primary care provider before undergoing any stem cell therapy.",
        "este médico realiza una o más terapias con células madre que todavía no han sido aprobadas por la "
        "Administración de Alimentos y Medicamentos de EE. UU. Se le recomienda consultar a su médico de cabecera "
        "antes de someterse a cualquier terapia con células madre.",
    ),
    "US-UT": _in_the_words_of(
        "Utah",
        "THIS NOTICE MUST BE PROVIDED TO YOU UNDER UTAH LAW. This health care practitioner performs one or more stem "
        "cell therapies that have not yet been approved by the United States Food and Drug Administration. You are "
        "encouraged to consult with your primary care provider before undergoing a stem cell therapy.",
        "este profesional de la salud realiza una o más terapias con células madre que todavía no han sido aprobadas "
        "por la Administración de Alimentos y Medicamentos de EE. UU. Se le recomienda consultar a su médico de "
        "cabecera antes de someterse a una terapia con células madre.",
    ),
}
_ZIP_CODES: Mapping[str, tuple[range, ...]] = {
    "US-CA": (range(900, 962),),
    "US-FL": (range(320, 340), range(341, 350)),
    "US-UT": (range(840, 848),),
}
"""First three digits of the ZIP codes of these states: the table of all codes takes a second to read, and a page that
somebody waits for has no other use for it. 340 is military.
"""
_BY_PRODUCT = {
    ProductStatus.NO_PRODUCT: (),
    ProductStatus.APPROVED_USE: (_APPROVED_USE,),
    ProductStatus.UNAPPROVED_THERAPY: (_NOT_APPROVED, _ASK_WHETHER_REVIEWED),
    ProductStatus.INVESTIGATIONAL: (_RESEARCH, _VOLUNTARY),
}
_NOT_OVERSEEN_ABROAD = frozenset({ProductStatus.UNAPPROVED_THERAPY, ProductStatus.INVESTIGATIONAL})


def notices(program: Program, document: ProviderDocument, language: str) -> tuple[str, ...]:
    """One paragraph each, in the order to be shown; none for a program that offers no product.

    A state's notice is shown if the provider sees people there or is licensed there.
    """
    needed = [notice.in_language(language) for notice in _BY_PRODUCT[program.product]]
    abroad = any(location.country not in US_ZIP_COUNTRIES for location in document.locations)
    if abroad and program.product in _NOT_OVERSEEN_ABROAD:
        needed.append(_OUTSIDE_THE_US.in_language(language))
    if program.product is ProductStatus.UNAPPROVED_THERAPY:
        regions = _regions(document)
        needed += [notice.in_language(language) for state, notice in _STATE_NOTICES.items() if state in regions]
    if program.irb is not None:
        board = _REVIEW_BOARD.in_language(language)
        needed.append(board.format(board=program.irb.name, number=program.irb.number))
    return tuple(needed)


def _regions(document: ProviderDocument) -> frozenset[str]:
    seen_in = (state for state, codes in _ZIP_CODES.items() if any(_is_in(codes, each) for each in document.locations))
    return frozenset((*document.licensed_in, *seen_in))


def _is_in(codes: tuple[range, ...], location: Location) -> bool:
    prefix = location.postal_code[:3]
    return location.country == "US" and prefix.isdecimal() and any(int(prefix) in each for each in codes)
