"""Graphs for the tests of the executor, and an oracle that knows nothing of memory plans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from asg import ops
from asg.core.dtype import float64
from asg.core.graph import Graph
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.leaf import State
from asg.ops.slicing import Slice

Array = np.ndarray[Any, Any]
Formula = tuple[Tensor, Callable[[], Array]]


@dataclass(frozen=True)
class Cell:
    """The least a variable must be."""

    name: str
    type: TensorType
    role: str = "parameter"


def state(name: str, shape: tuple[int, ...], dtype: Any = float64) -> Tensor:
    """The leaf of a variable."""
    return State(Cell(name, TensorType.of(dtype, shape)))()


def program(
    inputs: Sequence[Tensor],
    states: Sequence[tuple[Tensor, Tensor | None]],
    outputs: Sequence[Tensor],
) -> Graph:
    """A graph with (old, new) pairs of variables; None: only read."""
    leaves = [*inputs, *(old for old, _ in states)]
    results = [*outputs, *(new for _, new in states if new is not None)]
    slots, position = [], len(outputs)
    for number, (_, new) in enumerate(states, len(inputs)):
        slots.append(StateSlot(number, None if new is None else position))
        position += new is not None
    names = [f"result{i}" for i in range(len(results))]
    return Graph.of(leaves, results, names, slots, "program")


def sizes(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a value without symbolic sizes."""
    assert tensor.type.is_static
    return cast("tuple[int, ...]", tensor.shape)


class Oracle:
    """Values of a random program, each remembered with plain NumPy code that computes it."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.formulas: dict[Tensor, Callable[[], Array]] = {}
        self.given: dict[Tensor, Array] = {}
        self.cache: dict[Tensor, Array] = {}

    def leaf(self, tensor: Tensor) -> Tensor:
        """A value that is given at each step."""
        self.formulas[tensor] = lambda: self.given[tensor]
        return tensor

    def note(self, tensor: Tensor, function: Callable[..., Any], *operands: Tensor) -> Tensor:
        """Remember that ``tensor`` is ``function`` of ``operands``."""
        self.formulas[tensor] = lambda: np.asarray(function(*(self.value(t) for t in operands)))
        return tensor

    def step(self, given: dict[Tensor, Array]) -> None:
        """Begin a step with these values of the leaves."""
        self.given, self.cache = {t: a.copy() for t, a in given.items()}, {}

    def value(self, tensor: Tensor) -> Array:
        """What the value must be."""
        if tensor not in self.cache:
            self.cache[tensor] = self.formulas[tensor]()
        return self.cache[tensor]

    def pick(self, test: Callable[[Tensor], bool] = lambda _: True) -> Tensor | None:
        """A random value that passes a test, the newer the likelier."""
        found = [tensor for tensor in self.formulas if test(tensor)]
        if not found:
            return None
        return found[len(found) - 1 - int(self.random.triangular(0, 0, len(found)))]


def add_random_value(oracle: Oracle) -> None:
    """One more value, by an operation drawn at random."""
    maker = MAKERS[oracle.random.integers(len(MAKERS))]
    x = oracle.pick()
    if x is not None:
        maker(oracle, x)


def _unary(oracle: Oracle, x: Tensor) -> None:
    name = ("negative", "tanh", "square", "sin")[oracle.random.integers(4)]
    oracle.note(getattr(ops, name)(x), getattr(np, name), x)


def _binary(oracle: Oracle, x: Tensor) -> None:
    columns = (*x.shape[:-1], 1)
    y = oracle.pick(lambda t: t.shape in (x.shape, x.shape[1:], columns, ()))
    name = ("add", "subtract", "multiply", "maximum")[oracle.random.integers(4)]
    if y is not None:
        pair = (x, y) if oracle.random.integers(2) else (y, x)
        oracle.note(getattr(ops, name)(*pair), getattr(np, name), *pair)


def _clip(oracle: Oracle, x: Tensor) -> None:
    oracle.note(ops.clip(x, -0.5, 0.25), lambda a: np.clip(a, -0.5, 0.25), x)


def _where(oracle: Oracle, x: Tensor) -> None:
    y = oracle.pick(lambda t: t.shape == x.shape)
    assert y is not None
    oracle.note(ops.where(x < y, x, y), np.minimum, x, y)


def _permute(oracle: Oracle, x: Tensor) -> None:
    axes = tuple(oracle.random.permutation(x.ndim).tolist())
    oracle.note(ops.permute_dims(x, axes), lambda a: np.transpose(a, axes).copy(), x)


def _reshape(oracle: Oracle, x: Tensor) -> None:
    count = int(np.prod(sizes(x)))
    options = [(count,), (1, count)] + [(n, count // n) for n in (2, 3, 4) if count % n == 0]
    shape = options[oracle.random.integers(len(options))]
    oracle.note(ops.reshape(x, shape), lambda a: np.reshape(a, shape).copy(), x)


def _flip(oracle: Oracle, x: Tensor) -> None:
    if x.ndim:
        oracle.note(ops.flip(x, axis=0), lambda a: np.flip(a, 0).copy(), x)


def _slice(oracle: Oracle, x: Tensor) -> None:
    if x.ndim and x.shape[0] != 1:
        oracle.note(Slice.along(0, 1, x.shape[0], x), lambda a: a[1:].copy(), x)


def _broadcast(oracle: Oracle, x: Tensor) -> None:
    if x.ndim <= 1:
        shape = (3, *sizes(x))
        oracle.note(ops.broadcast_to(x, shape), lambda a: np.broadcast_to(a, shape).copy(), x)


def _sum(oracle: Oracle, x: Tensor) -> None:
    axis = int(oracle.random.integers(x.ndim)) if x.ndim else ()
    kept = bool(oracle.random.integers(2))
    total = ops.sum(x, axis=axis, keepdims=kept)
    oracle.note(total, lambda a: np.sum(a, axis=axis, keepdims=kept), x)


def _matmul(oracle: Oracle, x: Tensor) -> None:
    y = oracle.pick(lambda t: t.ndim == 2 and x.ndim == 2 and t.shape[0] == x.shape[1])
    if y is not None:
        oracle.note(ops.matmul(x, y), np.matmul, x, y)


def _full(oracle: Oracle, x: Tensor) -> None:
    shape = sizes(x)
    oracle.note(ops.full(shape, 0.75, float64), lambda: np.full(shape, 0.75))


def _join(oracle: Oracle, x: Tensor) -> None:
    chosen = [x, *(t for t in (oracle.pick(), oracle.pick()) if t is not None)]
    rows = [ops.reshape(t, (-1,)) for t in chosen[: 2 + int(oracle.random.integers(2))]]
    joined = ops.concat(rows)
    if joined.shape[0] <= 48:
        formula = lambda *a: np.concatenate([each.ravel() for each in a])  # noqa: E731
        oracle.note(joined, formula, *chosen[: len(rows)])
        oracle.note(joined[: rows[0].shape[0]], np.ravel, x)


MAKERS = (
    _unary, _unary, _binary, _binary, _binary, _binary, _clip, _where, _permute, _reshape,
    _flip, _slice, _broadcast, _sum, _matmul, _full, _join,
)  # fmt: skip


@dataclass(frozen=True)
class RandomProgram:
    """A random graph with variables, and the oracle of its values."""

    graph: Graph
    oracle: Oracle
    pairs: tuple[tuple[Tensor, Tensor | None], ...]


SHAPES = ((3, 4), (4, 3), (12,), (4,), (), (3, 1))


def random_program(seed: int, length: int = 30) -> RandomProgram:
    """A program of about ``length`` values whose variables take any value of their type."""
    oracle = Oracle(seed)
    draw = oracle.random.integers
    feeds = [oracle.leaf(ops.input(f"x{i}", SHAPES[draw(len(SHAPES))], float64)) for i in range(3)]
    states = [oracle.leaf(state(f"s{i}", SHAPES[draw(len(SHAPES))])) for i in range(4)]
    for _ in range(length):
        add_random_value(oracle)
    pairs = [(old, _next_value(oracle, old)) for old in states]
    outputs = [t for t in (oracle.pick() for _ in range(3)) if t is not None]
    return RandomProgram(program(feeds, pairs, outputs), oracle, tuple(pairs))


def _next_value(oracle: Oracle, old: Tensor) -> Tensor | None:
    return oracle.pick(lambda t: t.type == old.type) if oracle.random.random() < 0.85 else None
