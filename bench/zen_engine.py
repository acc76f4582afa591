"""zen-engine, a rule engine written in Rust, judging the same programs in every way that its Python package has.

Everything is compiled beforehand. A way answers with what the engine gives back; reading programs out of that is not in
the time that is taken. The package is installed for the bench only (`make setup-bench`).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import zen

from bench.criteria_text import expression_of
from config.providers import Program, ProviderDocument

Programs = Sequence[tuple[int, ProviderDocument, Program]]
"""In the network's order, each with the number of its provider."""

_HERE = {"x": 0, "y": 0}


class Way(ABC):
    """One way of asking which programs take somebody."""

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, programs: Programs) -> None:
        """Compile."""

    @abstractmethod
    def ask(self, facts: dict[str, Any]) -> Any:
        """What the engine answers."""

    @abstractmethod
    def eligible(self, answer: Any) -> list[int]:
        """The programs in an answer, in order."""


class OneExpression(Way):
    """No rules at all: one expression that is a list of every program's, in order."""

    name = "one expression, a list with an entry a program"

    def __init__(self, programs: Programs) -> None:
        self._expression = zen.compile_expression(f"[{', '.join(_by_number(programs))}]")

    def ask(self, facts: dict[str, Any]) -> Any:
        return self._expression.evaluate(facts)

    def eligible(self, answer: Any) -> list[int]:
        return [number for number, fits in enumerate(answer) if fits]


class ExpressionEach(Way):
    name = "a compiled expression a program"

    def __init__(self, programs: Programs) -> None:
        self._expressions = [
            (provider, zen.compile_expression(expression)) for provider, expression in _by_value(programs)
        ]

    def ask(self, facts: dict[str, Any]) -> Any:
        common = {name: fact for name, fact in facts.items() if name != "miles"}
        miles = facts["miles"]
        answer = []
        for provider, expression in self._expressions:
            common["distance"] = miles[provider]
            answer.append(expression.evaluate(common))
        return answer

    def eligible(self, answer: Any) -> list[int]:
        return [number for number, fits in enumerate(answer) if fits]


class GraphEach(Way):
    name = "a decision graph a program"

    def __init__(self, programs: Programs) -> None:
        engine = zen.ZenEngine()
        self._decisions = [
            (provider, engine.create_decision(_graph("expressionNode", _expressions({"fits": expression}))))
            for provider, expression in _by_value(programs)
        ]

    def ask(self, facts: dict[str, Any]) -> Any:
        common = {name: fact for name, fact in facts.items() if name != "miles"}
        miles = facts["miles"]
        answer = []
        for provider, decision in self._decisions:
            common["distance"] = miles[provider]
            answer.append(decision.evaluate(common)["result"])
        return answer

    def eligible(self, answer: Any) -> list[int]:
        return [number for number, result in enumerate(answer) if result["fits"]]


class OneGraph(Way):
    name = "one decision graph, an expression a program"

    def __init__(self, programs: Programs) -> None:
        named = {f"p{number}": expression for number, expression in enumerate(_by_number(programs))}
        self._decision = zen.ZenEngine().create_decision(_graph("expressionNode", _expressions(named)))

    def ask(self, facts: dict[str, Any]) -> Any:
        return self._decision.evaluate(facts)["result"]

    def eligible(self, answer: Any) -> list[int]:
        return sorted(int(name[1:]) for name, fits in answer.items() if fits)


class DecisionTable(Way):
    name = "one decision table, a row a program, hit policy collect"

    def __init__(self, programs: Programs) -> None:
        rules = [
            {"_id": f"rule-{number}", "criteria": expression, "program": str(number)}
            for number, expression in enumerate(_by_number(programs))
        ]
        content = {
            "hitPolicy": "collect",
            "inputs": [{"id": "criteria", "name": "Criteria", "type": "expression"}],
            "outputs": [{"id": "program", "name": "Program", "field": "program", "type": "expression"}],
            "rules": rules,
        }
        self._decision = zen.ZenEngine().create_decision(_graph("decisionTableNode", content))

    def ask(self, facts: dict[str, Any]) -> Any:
        return self._decision.evaluate(facts)["result"]

    def eligible(self, answer: Any) -> list[int]:
        return [row["program"] for row in answer]


WAYS: tuple[type[Way], ...] = (OneExpression, ExpressionEach, DecisionTable, OneGraph, GraphEach)


def _by_number(programs: Programs) -> list[str]:
    """Expressions that find their provider's distance in the list of all."""
    return [expression_of(program, document, f"miles[{provider}]") for provider, document, program in programs]


def _by_value(programs: Programs) -> list[tuple[int, str]]:
    """Expressions that are given their provider's distance, with the provider's number."""
    return [(provider, expression_of(program, document, "distance")) for provider, document, program in programs]


def _expressions(named: Mapping[str, str]) -> dict[str, Any]:
    return {"expressions": [{"id": name, "key": name, "value": value} for name, value in named.items()]}


def _graph(kind: str, content: Mapping[str, Any]) -> str:
    """A decision of one node between its input and its output."""
    nodes = [
        {"id": "input", "name": "Input", "type": "inputNode", "position": _HERE, "content": {"schema": ""}},
        {"id": "rules", "name": "Rules", "type": kind, "position": _HERE, "content": content},
        {"id": "output", "name": "Output", "type": "outputNode", "position": _HERE, "content": {"schema": ""}},
    ]
    edges = [
        {"id": f"to-{target}", "sourceId": source, "targetId": target, "type": "edge"}
        for source, target in (("input", "rules"), ("rules", "output"))
    ]
    return json.dumps({"contentType": "application/vnd.gorules.decision", "nodes": nodes, "edges": edges})
