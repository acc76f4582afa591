"""Each reviewed phrase is found, each exception passes, and no dress hides a claim."""

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.claims import CLAIMS_FILE, Phrase, claims_in, load_claims, reviewed_claims
from config.yaml_file import ConfigurationMistake

PHRASES = reviewed_claims().phrases
WORDINGS = [(phrase.id, words.replace("#", "94")) for phrase in PHRASES for words in phrase.wordings]
ALLOWED = [wording for phrase in PHRASES for wording in phrase.unless]


def found(text: str) -> set[str]:
    return {claim.phrase.id for claim in claims_in(text)}


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.id)
def test_every_wording_is_found_in_a_sentence_without_accents_and_in_capitals(phrase: Phrase) -> None:
    wordings = [words.replace("#", "94") for words in phrase.wordings]
    bare = "".join(
        char for char in unicodedata.normalize("NFD", "\n".join(wordings)) if not unicodedata.combining(char)
    )
    lines = [f"We say: {words}." for words in wordings] + bare.upper().split("\n")
    text = "\n".join(lines)
    at = {text.count("\n", 0, claim.start) for claim in claims_in(text) if claim.phrase == phrase}
    assert [line for number, line in enumerate(lines) if number not in at] == []


def test_every_exception_passes_and_lets_nothing_through_that_stands_beside_it() -> None:
    for wording in ALLOWED:
        for text in (wording, wording.upper(), f"So: {wording}.", wording.replace(" ", "\u00a0\n", 1)):
            assert claims_in(text) == (), text
        assert found(f"{wording} and it is guaranteed") == {"guarantee"}, wording
        if " not " in wording:
            assert found(wording.replace(" not ", " ", 1)), wording


@pytest.mark.parametrize(
    "text",
    [
        "It is not only proven but loved.",
        "Why not proven results?",
        "Not guaranteed? It is guaranteed!",
        "No, cure is known here",
        "no cure. is known",
        "has n\u0336o\u0336t\u0336 been proven to work",
        "has been proven to work",
        "un-proven",
        "is approved by the FDA",
        "It is not. Approved by the FDA!",
    ],
)
def test_a_not_nearby_excuses_nothing(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize(
    "dressed",
    [
        "PROVEN",
        "proven!",
        "«proven»",
        "pro\u00adven",
        "pro\u200bv\u200den",
        "\ufeffprov\u2060en",
        "pro\u034fven",
        "pr\u043ev\u0435n",
        "\u03c1roven",
        "ＰＲＯＶＥＮ",
        "𝐩𝐫𝐨𝐯𝐞𝐧",
        "ⓟⓡⓞⓥⓔⓝ",
        "🅿🅡🅞🅥🅔🅝",
        "🇵🇷🇴🇻🇪🇳",
        "prõvẽn",
        "pr0v3n",
        "PR0VEN",
        "p r o v e n",
        "p.r.o.v.e.n",
        "pro-\nven",
        "pro\nven",
        "pro_ven",
        "pro<b>v</b>en",
        "pro<!-- x -->ven",
        "pr&#111;ven",
        "pro&shy;ven",
        "&#x70;roven",
        "science-proven",
        "provenResults",
        "\u202enevorp\u202c",
    ],
)
def test_no_dress_hides_a_claim(dressed: str) -> None:
    assert found(f"Results are {dressed} here.") == {"proven"}


@pytest.mark.parametrize(
    "text",
    [
        "success\u00a0rate", "risk–free", "riskfree", "FDA‑registered", "registered\nwith the  FDA", "100 %",
        "98.5 % success", "90 percent success", "٩٠٪ success", "el 90 por ciento de los pacientes",
        "m1racle", "cur@tive", "miracIe", "sin  riesgos", "GARANTIA", "Éxito: tasa de exito",
    ],
)  # fmt: skip
def test_phrases_of_several_words_numbers_and_accents(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "A secure page for security; we procure and curate.",
        "Proverbs of a provenance; unproven methods are named as such.",
        "Haber probado antes otros tratamientos. Es un procurador seguro de sí.",
        "Do providers work together? The link works for ten minutes.",
        "The study is registered. The FDA has no oversight there.",
        "A se\u0301cure page; a se\u00adcure page.",
        "100 miles, 20% of the day, 3 of 4 weeks.",
    ],
)
def test_other_words_are_left_alone(text: str) -> None:
    assert found(text) == set()


@given(before=st.text(max_size=40), after=st.text(max_size=40), wording=st.sampled_from(WORDINGS))
def test_no_text_around_a_claim_hides_it(before: str, after: str, wording: tuple[str, str]) -> None:
    phrase_id, words = wording
    assert phrase_id in found(f"{before} {words} {after}")


@given(
    wording=st.sampled_from([words for _, words in WORDINGS]),
    marks=st.lists(
        st.sampled_from(["\u00ad", "\u200b", "\u2060", "\u0301", "-", " ", "\n", "<i>", "</i>"]), max_size=6
    ),
    places=st.lists(st.integers(1, 30), min_size=6, max_size=6),
)
def test_nothing_put_between_its_letters_hides_it(wording: str, marks: list[str], places: list[int]) -> None:
    text = wording
    for mark, place in zip(marks, places, strict=False):
        if re.search(r"<[^>]*$", text[:place]):
            continue  # inside a tag that was put in before
        text = text[:place] + mark + text[place:]
    assert claims_in(text), text


def test_a_claim_says_where_it_is_and_why_it_must_not_be() -> None:
    text = "It is <b>guaran\u00adteed</b>."
    [claim] = claims_in(text)
    assert text[claim.start : claim.end] == claim.words == "guaran\u00adteed"
    assert claim.message.endswith("an outcome cannot be guaranteed (FTC guidance; FDA alert)")


@pytest.mark.parametrize(
    ("was", "instead", "where", "expected"),
    [
        ("id: proven\n", "id: cure\n", "id", "expected each phrase once; found 'cure' again"),
        ("kind: outcome\n", "kind: hope\n", "kind", "expected one of outcome, safety"),
        ('"cure[/s/d]"', '"cure[/s/d"', "words[0]", "expected brackets in pairs"),
        ('"cure[/s/d]"', '"[cu/a]"', "words[0]", "expected at least 4 letters in each wording"),
        ('"cure[/s/d]"', '"over #% cured"', "words[0]", "expected # at the beginning, such as #% success"),
        ("- no cure is known", "- nothing is known", "unless[0]", "expected a wording that holds one of the words"),
        ("money back, ", "breakthrough, ", "words", "expected wordings of this phrase only; 'breakthrough' is in"),
    ],
)  # fmt: skip
def test_mistakes_in_the_list_are_named_with_their_line(
    tmp_path: Path, was: str, instead: str, where: str, expected: str
) -> None:
    text = CLAIMS_FILE.read_text(encoding="utf-8")
    assert was in text
    file = tmp_path / "claims.yaml"
    file.write_text(text.replace(was, instead, 1), encoding="utf-8")
    with pytest.raises(ConfigurationMistake) as caught:
        load_claims(file)
    problem = caught.value.problems[0]
    assert problem.path.endswith(where)
    assert expected in problem.message
    assert problem.line > 1


def test_every_phrase_is_there_in_both_languages() -> None:
    kinds: dict[str, set[str]] = {}
    for phrase in PHRASES:
        kinds.setdefault(phrase.language, set()).add(phrase.kind)
    assert kinds["en"] == kinds["es"]
    assert all(isinstance(phrase, Phrase) and phrase.source for phrase in PHRASES)
