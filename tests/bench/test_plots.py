from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.parts import Chart
from bench.plots import draw

SVG = "{http://www.w3.org/2000/svg}"


def drawn(folder: Path, p99: float = 40) -> bytes:
    series = {"p50": [(1, 5.0), (16, 9.0), (250, 30.0)], "p99": [(1, 20.0), (16, 25.0), (250, p99)]}
    draw(Chart("waits", "How long it takes", "jobs at once", "ms", series, log_x=True), folder)
    return (folder / "waits.svg").read_bytes()


def test_a_plot_is_an_svg_that_says_what_it_shows_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    root = ET.fromstring(drawn(tmp_path))  # noqa: S314 - of our own making
    said = {"".join(text.itertext()).strip() for text in root.iter(f"{SVG}text")}
    assert {"How long it takes", "jobs at once", "ms", "p50", "p99", "1", "16", "250"} <= said
    assert not list(root.iter(f"{SVG}image"))
    assert not [each for each in root.iter() if "font-face" in (each.text or "")]
    links = {value for each in root.iter() for name, value in each.attrib.items() if name.endswith("href")}
    assert {link for link in links if not link.startswith("#")} == set()
    background = next(each for each in root.iter(f"{SVG}path"))
    assert "fill: #ffffff" in background.attrib["style"], "so that dark pages can be around it"


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert drawn(tmp_path / "first") == drawn(tmp_path / "second")
    assert drawn(tmp_path / "first") != drawn(tmp_path / "second", p99=41)
