"""How much is shown: which box a node is drawn in at a level of detail, and the choice of one.

The ladder from fine to coarse: every op; the update folded to one box per parameter; decompositions
and the gradient of each op folded to one box each; scopes folded at ever smaller depth. The first
rung that a person can take in at a glance is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from asg.core.errors import OperandError
from asg.describe.schema import NodeEntry

from .view import Key

READABLE = 60
"""Boxes that can be read at a glance, when each says much."""
SIMPLE = 40
"""The same, when the gradient of each op is spread over several boxes."""
CROWDED = 240
"""Boxes from which on even ops outside all scopes are put together."""
SEGMENTS = 36
"""Boxes that ops outside all scopes are then put into, per column."""
PER_PARAMETER = 2
"""Depth at which the update of each parameter, and all that serves several, is one box."""
OPTIMIZER = ("optimizer",)


@dataclass(frozen=True)
class Detail:
    """A level of detail.

    Attributes:
        depth: scopes this deep are one box; None opens all.
        update_depth: the same for the update, whose scopes are names of parameters.
        fold: decompositions, and the gradient of each op, are one box.
        segments: for nodes outside all scopes, by serial: the run of nodes they are drawn in.
    """

    depth: int | None = None
    update_depth: int | None = None
    fold: bool = False
    segments: Mapping[int, int] = field(default_factory=dict)

    def key(self, node: NodeEntry) -> Key:
        """The box the node is drawn in."""
        if node["role"] in ("input", "outside") or is_seed(node):
            return ("node", node["serial"])
        path, limit = path_of(node), self.depth
        if node["part"] == "update":
            limit = self.update_depth
            if limit is not None and limit <= PER_PARAMETER and not node["parameter"]:
                return ("group", "update", *(path[:limit] or OPTIMIZER))
        if limit is not None and (len(path) >= limit if path else limit == 0):
            return ("group", node["part"], *path[:limit])
        if node["serial"] in self.segments:
            return ("segment", node["part"], self.segments[node["serial"]])
        return self._folded(node) if self.fold else ("node", node["serial"])

    def path(self, node: NodeEntry) -> tuple[str, ...]:
        """The clusters around the box the node is drawn in."""
        key = self.key(node)
        return tuple(str(name) for name in key[2:-1]) if key[0] == "group" else path_of(node)

    def _folded(self, node: NodeEntry) -> Key:
        kinds = ("gradient", "decompose") if node["part"] == "gradient" else ("decompose",)
        for step in node["derived"]:
            if step["kind"] in kinds:
                return (step["kind"], node["part"], *step["sources"])
        return ("node", node["serial"])


def path_of(node: NodeEntry) -> tuple[str, ...]:
    """The clusters around a node: its scope, or for an update the name of the parameter."""
    if node["part"] == "update" and node["parameter"]:
        return tuple(node["parameter"].split("."))
    return tuple(node["scope"].split("/")) if node["scope"] else ()


def is_seed(node: NodeEntry) -> bool:
    """The constant that a gradient starts from: d loss / d loss = 1."""
    made_by_rule = node["gradient_of"] is not None
    return node["role"] == "constant" and node["part"] == "gradient" and not made_by_rule


def detail_of(depth: int | None, fold: bool | None, nodes: list[NodeEntry]) -> Detail:
    """The level of detail that was asked for; what was left open is chosen by the size.

    Raises:
        OperandError: the depth is not a number of levels.
    """
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 0):
        raise OperandError(
            f"depth={depth!r}: give the number of scope levels to open, 0 or more, or None"
        )
    return _chosen(list(_ladder(depth, fold, nodes)), nodes)


def _ladder(depth: int | None, fold: bool | None, nodes: list[NodeEntry]) -> Iterator[Detail]:
    folds = (False, True) if fold is None else (fold,)
    if depth is not None:
        yield from (Detail(depth, depth, each) for each in folds)
        return
    yield Detail(fold=folds[0])
    yield from (Detail(update_depth=PER_PARAMETER, fold=each) for each in folds)
    deepest = max((len(path_of(node)) for node in nodes if node["part"] != "update"), default=0)
    yield from (Detail(each, min(each, PER_PARAMETER), folds[-1]) for each in range(deepest, 0, -1))
    if fold is None and deepest + 1:
        yield Detail(1, 1, True, _segments(nodes))


def _chosen(ladder: list[Detail], nodes: list[NodeEntry]) -> Detail:
    """The finest readable one; if none is, the coarsest that does not tear runs of ops apart."""
    for detail in ladder:
        if _count(nodes, detail.key) <= (READABLE if detail.fold else SIMPLE):
            return detail
    whole = [detail for detail in ladder if not detail.segments] or ladder
    return ladder[-1] if _count(nodes, whole[-1].key) > CROWDED else whole[-1]


def _count(nodes: Iterable[NodeEntry], key: Callable[[NodeEntry], Key]) -> int:
    return len({key(node) for node in nodes if not node["scalar"]})


def _segments(nodes: Iterable[NodeEntry]) -> dict[int, int]:
    """Runs of nodes outside all scopes; the gradient of a run is a run too."""
    bare = [node for node in nodes if not path_of(node) and node["role"] in ("", "constant")]
    found: dict[int, int] = {}
    for part in ("forward", "update", "gradient"):
        own = [node for node in bare if node["part"] == part and not is_seed(node)]
        for position, node in enumerate(own):
            twin = found.get(node["twin"]) if node["twin"] is not None else None
            found[node["serial"]] = position * SEGMENTS // len(own) if twin is None else twin
    return found
