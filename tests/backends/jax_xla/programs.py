"""Small ops with kernels of their own, so that the executor is tested apart from every family."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from asg.backends.jax_xla.backend import BACKEND
from asg.backends.jax_xla.kernel import KERNELS

from asg.core.dtype import as_dtype
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.leaf import Input, State


class Plus(Op, abstract=True):
    """x + y."""

    name: ClassVar[str] = "test_plus"
    operands: ClassVar[tuple[str, ...]] = ("x", "y")

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return x


class Repeat(Op, abstract=True):
    """``times`` matrix products of x with itself, scaled: slow on purpose."""

    times: int
    name: ClassVar[str] = "test_repeat"
    operands: ClassVar[tuple[str, ...]] = ("x",)

    def infer(self, x: TensorType) -> TensorType:
        return x


class Split(Op, abstract=True):
    """Two outputs: the total, and x doubled."""

    name: ClassVar[str] = "test_split"
    operands: ClassVar[tuple[str, ...]] = ("x",)

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        return TensorType(x.dtype, ()), x


class Body(Op, abstract=True):
    """Runs a graph."""

    body: Graph
    name: ClassVar[str] = "test_body"
    operands: ClassVar[tuple[str, ...]] = ("x",)

    def infer(self, x: TensorType) -> TensorType:
        return self.body.outputs[0].type


class Whatever(Op, abstract=True):
    """One operand in, one of the same type out; the kernel is the test's."""

    name: ClassVar[str] = "test_whatever"
    operands: ClassVar[tuple[str, ...]] = ("x",)

    def infer(self, x: TensorType) -> TensorType:
        return x


def plus(op: Plus, x: jax.Array, y: jax.Array) -> jax.Array:
    return x + y


def repeat(op: Repeat, x: jax.Array) -> jax.Array:
    for _ in range(op.times):
        x = x @ x * 0.001
    return x


def split(op: Split, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.sum(x, dtype=x.dtype), x + x


TEST_KERNELS: dict[type[Op], Any] = {Plus: plus, Repeat: repeat, Split: split}


@contextmanager
def kernels(added: dict[type[Op], Any]) -> Iterator[None]:
    """These ops have kernels inside."""
    KERNELS.update(added)
    try:
        yield
    finally:
        for op_class in added:
            del KERNELS[op_class]


class Cell:
    """The least a variable can be."""

    def __init__(self, name: str, shape: tuple[int, ...], dtype: str = "float32") -> None:
        self.name, self.role = name, "parameter"
        self.type = TensorType.of(dtype, shape)


def tensor(name: str, shape: tuple[int | str, ...] = (3,), dtype: str = "float32") -> Tensor:
    """An input."""
    return Input(name, as_dtype(dtype), TensorType.of(dtype, shape).shape)()


def state(name: str, shape: tuple[int, ...] = (3,), dtype: str = "float32") -> Tensor:
    """A variable's leaf."""
    return State(Cell(name, shape, dtype))()


def graph(
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    slots: Sequence[tuple[int, int | None]] = (),
) -> Graph:
    """A graph with outputs named y0, y1, ..."""
    names = [f"y{i}" for i in range(len(outputs))]
    return Graph.of(inputs, outputs, names, [StateSlot(*slot) for slot in slots], "tested")


def run(program: Graph, *arrays: Any) -> list[np.ndarray[Any, Any]]:
    """Compile, call once, and return NumPy arrays."""
    return [np.asarray(each) for each in BACKEND.compile(program)(arrays)]


def full(value: float, shape: tuple[int, ...] = (3,), dtype: str = "float32") -> Any:
    """A fresh NumPy array."""
    return np.full(shape, value, dtype)
