import pytest

from pipeline.lane_names import JOB_LANES
from pipeline.lanes import build_lanes
from tests.support.installations import Installation


def test_every_lane_is_built_under_its_name(sqlite_installation: Installation) -> None:
    lanes = build_lanes(sqlite_installation.context())
    assert sorted(lanes) == sorted(JOB_LANES)
    assert all(lane.name == name for name, lane in lanes.items())


@pytest.mark.parametrize(
    "settings",
    [
        {"lease_seconds": 10, "mail_timeout_seconds": 10},
        {"mail_transport": "smtp", "mail_timeout_seconds": 36},
    ],
)
def test_a_timeout_that_no_lease_could_hold_is_refused(
    sqlite_installation: Installation, settings: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match=r"mail_timeout_seconds: .* no email would ever be sent"):
        build_lanes(sqlite_installation.context(**settings))
