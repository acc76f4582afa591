"""Plots for RESULTS.md: SVG, the same bytes for the same figures, on a white card so that any page may be around it.

Text stays text, in whatever sans-serif font the reader has; nothing is fetched, and no date is written.
"""

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from bench.parts import Chart

Series = Mapping[str, Sequence[tuple[float, float]]]

_COLOURS = ("#1f6feb", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#57606a")
"""Of enough contrast on white, and told apart with any colour vision by their markers too."""
_MARKERS = ("o", "s", "^", "D", "v", "P")
_INK, _GRID = "#24292f", "#d0d7de"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "careroute",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_METADATA: dict[str, Any] = {"Date": None, "Creator": None}


def line_chart(
    path: Path,
    title: str,
    x_label: str,
    y_label: str,
    series: Series,
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> None:
    """Write a chart with a line for each of `series`, through its points (x, y). Every x gets a tick if it is `log_x`.

    The library is one of the bench's, and not there where only tests run: it is loaded when a chart is drawn.
    """
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained", facecolor="white")
        axes = figure.subplots()
        for number, (name, points) in enumerate(series.items()):
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                label=name,
                color=_COLOURS[number % len(_COLOURS)],
                marker=_MARKERS[number % len(_MARKERS)],
                linewidth=2,
                markersize=6,
            )
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if log_x:
            axes.set_xscale("log")
            places = sorted({x for points in series.values() for x, _ in points})
            axes.set_xticks(places, [f"{place:,.10g}" for place in places])
            axes.minorticks_off()
        if log_y:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:,g}")
        else:
            axes.set_ylim(bottom=0)
        axes.grid(visible=True, color=_GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        if len(series) > 1:
            axes.legend(frameon=False)
        drawn = StringIO()
        figure.savefig(drawn, format="svg", metadata=_METADATA)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [line.rstrip() for line in drawn.getvalue().splitlines()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def draw(chart: Chart, folder: Path) -> None:
    """Write a part's chart into `folder`, under its name."""
    line_chart(
        folder / f"{chart.name}.svg",
        chart.title,
        chart.x_label,
        chart.y_label,
        chart.series,
        log_x=chart.log_x,
        log_y=chart.log_y,
    )
