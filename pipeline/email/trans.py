"""`{% trans %}`, looked up when a template is compiled: an environment has one language; sending looks nothing up."""

import re
from collections.abc import Callable
from typing import cast

from jinja2 import nodes
from jinja2.ext import InternationalizationExtension

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class TranslatedWhenCompiled(InternationalizationExtension):
    """Jinja's own tag and message ids, so extraction works as usual; the translation becomes part of the template.

    Values stay expressions and are escaped like any other. Plurals and contexts are refused: no text needs them.
    """

    def _make_node(
        self,
        singular: str,
        plural: str | None,
        context: str | None,
        variables: dict[str, nodes.Expr],
        plural_expr: nodes.Expr | None,  # noqa: ARG002 - this and the next two belong to the overridden signature
        vars_referenced: bool,  # noqa: ARG002, FBT001
        num_called_num: bool,  # noqa: ARG002, FBT001
    ) -> nodes.Output:
        if plural is not None or context is not None:
            raise ValueError(f"plurals and contexts are not supported in {singular!r}")
        translate = cast("Callable[[str], str]", self.environment.globals["gettext"])
        text_and_names = enumerate(_PLACEHOLDER.split(translate(singular)))  # text, name, text, name, … text
        return nodes.Output(
            [
                variables[part] if index % 2 else nodes.TemplateData(part.replace("%%", "%"))
                for index, part in text_and_names
            ]
        )
