"""The keyset files of one folder. The one place that knows how they are written, in the clear or by a master key."""

import os
from dataclasses import dataclass
from pathlib import Path

from tink import aead

from pipeline import key_files
from pipeline.key_files import FileVersion, KeyProblem
from pipeline.keys.keyset import KeyPurpose, Keyset, NotAKeyset


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """Where keysets are. With a `master`, such as a cloud KMS key behind Tink's `Aead`, each is encrypted by it."""

    path: Path
    master: aead.Aead | None = None

    def file(self, purpose: KeyPurpose) -> Path:
        return self.path / f"{purpose}.json"

    def create(self) -> None:
        """Write fresh keysets, mode 0600, for every purpose that has no file yet."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for purpose in KeyPurpose:
            if not self.file(purpose).exists():
                key_files.write_new(self.file(purpose), Keyset.fresh(purpose).text(self.master))

    def read(self, purpose: KeyPurpose) -> Keyset:
        """Raises `KeyProblem` naming the file if it is missing or unreadable."""
        return self.read_version(purpose)[0]

    def read_version(self, purpose: KeyPurpose) -> tuple[Keyset, FileVersion]:
        """As `read`, with what `version` says while it is the same file."""
        path = self.file(purpose)
        try:
            with path.open(encoding="utf-8") as file:
                version = FileVersion.of(os.fstat(file.fileno()))
                return Keyset.parse(purpose, file.read(), self.master), version
        except FileNotFoundError:
            raise KeyProblem(
                f"{path} is missing: keys are created automatically only for the embedded database. "
                f"Put the keyset there, or create one for a new installation with `careroute keys new FOLDER`"
            ) from None
        except OSError as error:
            raise KeyProblem(f"{path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise KeyProblem(f"{path} is not a Tink keyset in JSON form (UnicodeDecodeError)") from None
        except NotAKeyset as problem:
            raise KeyProblem(f"{path} {problem}") from None

    def version(self, purpose: KeyPurpose) -> FileVersion | None:
        """Which file is there now; costs one system call."""
        try:
            return FileVersion.of(self.file(purpose).stat())
        except OSError:
            return None
