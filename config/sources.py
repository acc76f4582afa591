"""Who may send submissions, read from `sources.yaml`: how they prove who they are, and how their fields are called."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationInfo, model_validator

from config.screening import QuestionId, Screening
from config.yaml_file import Location, load, refuse


class Adapter(StrEnum):
    """How a source's submissions come in."""

    JSON = "json"  # POST /v1/submissions with one of the secrets as bearer key
    WEBFLOW = "webflow"  # POST /v1/hooks/{source}, signed with one of the secrets
    HOSTED = "hosted"  # our own form at /screening; no secret


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `secrets` are the live ones: during a rotation the old and the new are both accepted."""

    id: str
    adapter: Adapter
    secrets: tuple[SecretStr, ...]
    missing_secrets: tuple[str, ...]  # environment variables named in the file that are not set
    fields: Mapping[str, str]  # question id → the vendor's name of the field
    values: Mapping[str, Mapping[str, str]]  # question id → the vendor's value → option id or consent version


@dataclass(frozen=True, slots=True)
class Sources:
    """All sources by id."""

    by_id: Mapping[str, Source]

    @property
    def missing_secrets(self) -> tuple[str, ...]:
        return tuple(name for source in self.by_id.values() for name in source.missing_secrets)

    def with_key(self, key: str) -> Source | None:
        """The JSON source one of whose live secrets is `key`. How long it takes does not tell how near a guess was."""
        presented = key.encode("utf-8", "surrogatepass")
        found = None
        for source in self.by_id.values():
            for secret in source.secrets if source.adapter is Adapter.JSON else ():
                if hmac.compare_digest(presented, secret.get_secret_value().encode()):
                    found = source
        return found


def load_sources(path: Path, environment: Mapping[str, str], screening: Screening | None = None) -> Sources:
    """Read the sources and take their secrets from `environment`.

    A secret `env:NAME` is the value of NAME, or the first line of the file that NAME_FILE names. One that is not there
    is listed in `missing_secrets`, and is no mistake. With a `screening`, question ids must be of it.

    Raises:
        ConfigurationMistake: naming line and column of everything that is wrong.
    """
    file = load(path, _File, context=screening)
    return Sources({entry.id: _source(entry, environment) for entry in file.sources})


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    adapter: Adapter
    secrets: tuple[Annotated[str, StringConstraints(pattern=r"^env:[A-Z][A-Z0-9_]*$")], ...] = ()
    fields: dict[QuestionId, Annotated[str, StringConstraints(min_length=1, max_length=200)]] = {}
    values: dict[QuestionId, dict[str, str]] = {}


class _File(BaseModel):
    # A secret written here by mistake instead of its name must not end up in an error message.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sources: tuple[_Entry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sources_fit(self, info: ValidationInfo) -> Self:
        found: list[tuple[Location, str]] = []
        for index, entry in enumerate(self.sources):
            here: Location = ("sources", index)
            if entry.id in {earlier.id for earlier in self.sources[:index]}:
                found.append(((*here, "id"), "expected each source once"))
            found += [((*here, *location), message) for location, message in _mistakes(entry, info.context)]
        refuse(found)
        return self


def _mistakes(entry: _Entry, screening: Screening | None) -> list[tuple[Location, str]]:
    found: list[tuple[Location, str]] = []
    if bool(entry.secrets) == (entry.adapter is Adapter.HOSTED):
        found.append((("secrets",), f"expected {'no secret' if entry.secrets else 'env:NAME'} for {entry.adapter}"))
    if bool(entry.fields) != (entry.adapter is Adapter.WEBFLOW):
        found.append((("fields",), f"expected fields for {Adapter.WEBFLOW}, and for it only"))
    for key, names in (("fields", entry.fields), ("values", entry.values)):
        if screening is not None:
            unknown = [name for name in names if name not in screening.ids]
            found += [((key, name), "expected the id of a question") for name in unknown]
    found += [
        (("values", name), "expected the id of a question that has a field")
        for name in entry.values
        if name not in entry.fields
    ]
    return found


def _source(entry: _Entry, environment: Mapping[str, str]) -> Source:
    names = [secret.removeprefix("env:") for secret in entry.secrets]
    found = {name: _secret(name, environment) for name in names}
    return Source(
        id=entry.id,
        adapter=entry.adapter,
        secrets=tuple(SecretStr(value) for value in found.values() if value),
        missing_secrets=tuple(name for name, value in found.items() if not value),
        fields=entry.fields,
        values=entry.values,
    )


def _secret(name: str, environment: Mapping[str, str]) -> str:
    if value := environment.get(name, "").strip():
        return value
    try:
        return Path(environment[f"{name}_FILE"]).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (KeyError, OSError, UnicodeDecodeError):
        return ""
