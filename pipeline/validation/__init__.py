"""Whether a submission can be used: its answers read and normalised, and what is wrong with them, field by field."""

from pipeline.validation.answers import Validation, validate
from pipeline.validation.problems import STRUCTURAL, FieldProblem, Rule
from pipeline.validation.readers import Answer

__all__ = ["STRUCTURAL", "Answer", "FieldProblem", "Rule", "Validation", "validate"]
