"""A module as a table of HTML, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asg.nn.module import Module

_CELL = "padding:2px 10px;text-align:left;font-family:monospace"


def module_html(module: Module) -> str:
    """One row per module: name, class with its arguments, own parameters."""
    rows = [_row("module", "class", "parameters", "th")]
    for name, below in module.named_modules():
        counted = sum(
            int(variable.type.size)
            for _, variable in below.own_variables()
            if variable.role == "parameter"
        )
        indent = "&nbsp;" * 4 * (name.count(".") + 1 if name else 0)
        label = indent + escape(name.rpartition(".")[2] or "(root)")
        what = escape(f"{type(below).__name__}({below.describe()})")
        rows.append(_row(label, what, f"{counted:,}" if counted else "", "td"))
    total = sum(int(variable.type.size) for variable in module.parameters().values())
    rows.append(_row("total", "", f"{total:,}", "th"))
    return f"<table>{''.join(rows)}</table>"


def _row(name: str, what: str, count: str, tag: str) -> str:
    cells = "".join(f'<{tag} style="{_CELL}">{text}</{tag}>' for text in (name, what, count))
    return f"<tr>{cells}</tr>"
