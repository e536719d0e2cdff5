"""The words in a picture: titles, small lines, tooltips. Long ones are shortened in the middle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from asg.describe.schema import NodeEntry, TypeEntry

from .view import Key

LONGEST_TITLE = 30
LONGEST_DETAIL = 34
LONGEST_FACT = 200
MOST_DETAILS = 4
MOST_OPS = 12
MOST_PLACES = 6
STATE_ROLES = ("statistic", "optimizer", "random_key", "counter", "metric", "data", "cache")
"""Of variables that are counted, and not named like parameters."""
HIDDEN_ATTRIBUTES = frozenset({"shape", "dtype"})
"""Seen in the type on the arrow already."""
UNREMARKABLE = frozenset({"false", "none"})
"""Values of attributes that say: nothing special."""
PLACEHOLDER = "·"


def shortened(text: str, longest: int) -> str:
    """The text with its middle left out when it is too long.

    >>> shortened("encoder/layers/11/attention/query", 17)
    'encoder/…on/query'
    """
    if len(text) <= longest:
        return text
    head = (longest - 1) // 2
    return f"{text[:head]}…{text[len(text) - (longest - 1 - head) :]}"


def type_text(type: TypeEntry) -> str:
    """``batch×128``; dtypes other than float32 are named, a float32 scalar is ``scalar``.

    >>> type_text({"dtype": "int32", "shape": ["batch", "3"], "text": "i32[batch, 3]"})
    'i32 batch×3'
    """
    sizes = "×".join(size if size.isalnum() else f"({size})" for size in type["shape"])
    dtype = "" if type["dtype"] == "float32" else type["text"].partition("[")[0]
    return shortened(f"{dtype} {sizes or 'scalar'}".strip(), LONGEST_DETAIL)


def op_title(node: NodeEntry, scalars: Mapping[int, str]) -> str:
    """``multiply(·, 0.9)``: the op, with operands that are plain numbers written out.

    Args:
        node: the op.
        scalars: the number at each operand position that has one.
    """
    name = node["op"]
    if scalars:
        inside = (scalars.get(i, PLACEHOLDER) for i in range(len(node["operands"])))
        name = f"{name}({', '.join(inside)})"
    return shortened(marked(name, node["part"]), LONGEST_TITLE)


def marked(name: str, part: str) -> str:
    """Gradients carry a nabla, so that they are known without colour."""
    return f"∇ {name}" if part == "gradient" else name


def op_details(node: NodeEntry) -> tuple[str, ...]:
    """The attributes worth a line."""
    shown = [
        f"{key}={value}"
        for key, value in node["attributes"].items()
        if key not in HIDDEN_ATTRIBUTES and value not in UNREMARKABLE
    ]
    return (shortened(", ".join(shown), LONGEST_DETAIL),) if shown else ()


def leaf_title(node: NodeEntry, path: tuple[str, ...]) -> str:
    """Inputs and variables by name, without what the clusters around say; constants by value."""
    if node["name"]:
        return shortened(_name_inside(node["name"], node, path), LONGEST_TITLE)
    return shortened(node["scalar"] or node["op"], LONGEST_TITLE)


def next_title(variable: str, node: NodeEntry, path: tuple[str, ...]) -> str:
    """``next weight``: the variable that the value of a node becomes."""
    return f"next {_name_inside(variable, node, path)}"


def _name_inside(name: str, node: NodeEntry, path: tuple[str, ...]) -> str:
    """``adam.m`` for ``optimizer.adam.m.fc1.weight`` where ``fc1.weight`` is updated."""
    around = ".".join(path)
    if node["part"] == "update" and name != around:
        return name.removeprefix("optimizer.").removesuffix(f".{around}")
    if node["part"] == "update":
        return path[-1]
    return name.removeprefix(f"{around}.")


def group_details(title: str, nodes: Sequence[NodeEntry]) -> tuple[str, ...]:
    """``3 ops`` and the parameters, or how many there are."""
    ops = [node["op"] for node in nodes if node["operands"]]
    lines = ops if len(ops) == 1 else [counted(len(ops), "op")] if ops else []
    lines = [line for line in lines if line != title.removeprefix("∇ ")]
    parameters = [node for node in nodes if node["role"] == "parameter"]
    named = [
        shortened(f"{last_name(node)} {type_text(node['outputs'][0])}", LONGEST_DETAIL)
        for node in parameters
    ]
    if len(named) + len(lines) > MOST_DETAILS:
        named = [counted(len(parameters), "parameter")]
    roles = Counter(node["role"] for node in nodes)
    states = sum(roles[role] for role in STATE_ROLES)
    return (*lines, *named, *([counted(states, "state")] if states else ()))


def share_text(seconds: float, total: float) -> str:
    """``42.0 %, 1.3 ms``: how long the nodes of a box took.

    >>> share_text(0.001, 0.004)
    '25.0 %, 1 ms'
    """
    unit, factor = ("ms", 1e3) if seconds >= 1e-3 else ("us", 1e6)
    return f"{seconds / total:.1%}, {seconds * factor:.3g} {unit}".replace("%", " %", 1)


def counted(number: int, word: str) -> str:
    """``1 op``, ``2 ops``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def last_name(node: NodeEntry) -> str:
    """``weight`` of ``fc1.weight``."""
    return node["name"].rpartition(".")[2]


def op_tooltip(node: NodeEntry, operands: Iterable[tuple[str, str]]) -> str:
    """All that is known of a node, one fact per line; values are named as in the printed graph.

    Args:
        node: the node.
        operands: the name of each operand, and what the text calls its value.
    """
    given = ", ".join(f"{name}={value}" for name, value in operands)
    types = ", ".join(type["text"] for type in node["outputs"])
    attributes = ", ".join(f"{key}={value}" for key, value in node["attributes"].items())
    facts = [
        f"{node['text_name']} = {node['op']}({given}) : {types}",
        shortened(attributes, LONGEST_FACT),
        f"{node['role'].replace('_', ' ')} {node['name']}".strip(),
        f"scope {node['scope']}" if node["scope"] else "",
        _place(node),
        *(f"{step['kind']} of {step['name']}" for step in node["derived"]),
        f"{node['flops']} flops, {node['bytes']} bytes",
    ]
    return "\n".join(fact for fact in facts if fact)


def _place(node: NodeEntry) -> str:
    place = node["location"]
    return f"{place['file']}:{place['line']} in {place['function']}" if place else ""


def group_title(key: Key, nodes: Sequence[NodeEntry]) -> str:
    """What a folded box is called: its scope, its composite, or the ops in it."""
    kind, part = str(key[0]), str(key[1])
    if kind in ("gradient", "decompose"):
        step = next(step for step in nodes[0]["derived"] if step["kind"] == kind)
        return shortened(marked(step["name"], part), LONGEST_TITLE)
    if kind == "segment":
        (common, _), *others = Counter(node["op"] for node in nodes).most_common()
        name = f"{common} …" if others else common
        return shortened(marked(name, part), LONGEST_TITLE)
    name = shortened(str(key[-1]), LONGEST_TITLE)
    updates = part == "update" and len(key) > 2 and any(node["parameter"] for node in nodes)
    return f"update {name}" if updates else marked(name, part)


def group_tooltip(nodes: Sequence[NodeEntry]) -> str:
    """What is inside a folded box: how often each op, where it was written."""
    counts = Counter(node["op"] for node in nodes)
    inside = ", ".join(f"{op} x{n}" if n > 1 else op for op, n in counts.most_common(MOST_OPS))
    more = "" if len(counts) <= MOST_OPS else f" and {len(counts) - MOST_OPS} more kinds"
    places = dict.fromkeys(place for node in nodes if (place := _place(node)))
    return "\n".join(
        [f"{counted(len(nodes), 'node')}: {inside}{more}", *list(places)[:MOST_PLACES]]
    )
