"""Which programs fit a submission, and why: pure functions over the answers and the published network.

In the order of the work:

facts, geography             what a submission tells about the person
planes, surroundings, bits   what each criterion means, for all programs at once; unknown is a value of its own
matcher, network             the trees of all programs, compiled once for a set of provider versions
availability, rank           which providers are open, and in which order those that fit come
compare                      one submission beside the network: who fits, who may, and whether people look first
trees, questions             which leaves decide a program, and what to ask about them
telling, assess              the verdict and the explanation that is stored with it
record                       reads what is stored
explanation, words, notices  tells it to the person and to the provider
staff, staff_words           tells it to staff
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
