from pathlib import Path

import pytest
import yaml

from tests.config.shipped import FOLDER


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="this PyYAML was built without libyaml")
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_file_says_the_same_with_libyaml_and_without(path: Path) -> None:
    """They differ in what they take: libyaml allows an unquoted `?` between braces, pure Python does not."""
    text = path.read_text(encoding="utf-8")
    assert yaml.load(text, Loader=yaml.SafeLoader) == yaml.load(text, Loader=yaml.CSafeLoader)
