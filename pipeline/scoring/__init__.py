"""Which programs fit a submission, and why: pure functions over the answers and the published network.

`facts` reads what a submission tells, `criteria` gives each criterion one of three values, `network` compiles the
published documents once, `assess` judges one submission against them, `rank` orders what fits, and `explanation` tells
the one stored record to the person, the provider and the staff.
"""

from pipeline.scoring.assess import Assessment, ReviewReason, score
from pipeline.scoring.compare import Outcome
from pipeline.scoring.explanation import (
    explain_to_person,
    explain_to_provider,
    explain_to_staff,
)
from pipeline.scoring.network import Network
from pipeline.scoring.rank import Match

__all__ = [
    "Assessment",
    "Match",
    "Network",
    "Outcome",
    "ReviewReason",
    "explain_to_person",
    "explain_to_provider",
    "explain_to_staff",
    "score",
]
