from bench.parts import Chart, Figure, Part, with_part

TITLES = ("Pipeline", "Matching")


def test_a_part_is_measured_again_and_the_others_stay_as_they_were() -> None:
    page = with_part("", Part("Matching", [Figure("time", "at most 2 ms", "1 ms", reached=True)], ["first"]), TITLES)
    page = with_part(page, Part("Pipeline", [], ["### Costs", "", "many"]), TITLES)
    page = with_part(page, Part("Matching", [Figure("time", "at most 2 ms", "3 ms", reached=False)], ["again"]), TITLES)

    assert page.startswith("# Results of the bench\n")
    assert page.index("\n## Pipeline") < page.index("### Costs") < page.index("## Matching")
    assert "| time | at most 2 ms | 3 ms | **not reached** |" in page
    assert "again" in page
    assert "first" not in page
    assert with_part(page, Part("Pipeline", [], ["### Costs", "", "many"]), TITLES) == page


def test_what_is_no_longer_measured_is_dropped() -> None:
    page = with_part("", Part("Pipeline", [], ["old"]), TITLES)
    assert "Pipeline" not in with_part(page, Part("Matching", [], ["new"]), ("Matching",))


def test_every_figure_of_every_part_stands_at_the_top_also_of_parts_measured_before() -> None:
    pipeline = Part(
        "Pipeline",
        [
            Figure("ratio", "at least 30", "31", reached=True),
            Figure("a second", "2,000", "900", reached=False, is_aim=True),
        ],
        ["| side | rounds |", "| --- | --- |", "| careroute | 1 |"],
        [Chart("waits", "Waits", "load", "ms", {})],
    )
    matching = Part("Matching", [Figure("time", "at most 2 ms", "3 ms", reached=False)], [])
    page = with_part(with_part("", pipeline, TITLES), matching, TITLES)
    top = page.partition("\n## ")[0]

    assert "3 figures: 1 missed." in top
    assert top.strip().splitlines()[-3:] == [
        "| Pipeline | ratio | at least 30 | 31 | reached |",
        "| Pipeline | a second | 2,000 | 900 | an aim, not reached yet |",
        "| Matching | time | at most 2 ms | 3 ms | **not reached** |",
    ]
    assert pipeline.reached
    assert not matching.reached
    assert "![Waits](plots/waits.svg)" in page
    repaired = Part("Matching", [Figure("time", "at most 2 ms", "1 ms", reached=True)], [])
    assert "3 figures, none missed." in with_part(page, repaired, TITLES)
