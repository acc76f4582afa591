from bench.parts import Figure, Part, with_part

TITLES = ("Pipeline", "Matching")


def test_a_part_is_measured_again_and_the_others_stay_as_they_were() -> None:
    page = with_part("", Part("Matching", [Figure("time", "at most 2 ms", "1 ms", reached=True)], ["first"]), TITLES)
    page = with_part(page, Part("Pipeline", [], ["### Costs", "", "many"]), TITLES)
    page = with_part(page, Part("Matching", [Figure("time", "at most 2 ms", "3 ms", reached=False)], ["again"]), TITLES)

    assert page.startswith("# Results of the bench\n")
    assert page.index("## Pipeline") < page.index("### Costs") < page.index("## Matching")
    assert "| time | at most 2 ms | 3 ms | **not reached** |" in page
    assert "again" in page
    assert "first" not in page
    assert with_part(page, Part("Pipeline", [], ["### Costs", "", "many"]), TITLES) == page


def test_what_is_no_longer_measured_is_dropped() -> None:
    page = with_part("", Part("Pipeline", [], ["old"]), TITLES)
    assert "Pipeline" not in with_part(page, Part("Matching", [], ["new"]), ("Matching",))
