"""Ops of a user, from outside the package: contract, kernels, errors, printing, drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import asg
from asg.core.errors import KernelError, OperandError, UnsupportedOp
from asg.core.registry import OPS
from asg.testing import Sample, check_op

BEFORE = set(OPS)


class HardSwishOfUser(asg.Op):
    """``x * clip(x + 3, 0, 6) / 6``: a composite needs nothing else."""

    category: ClassVar[str] = "activation"

    def infer(self, x: asg.TensorType) -> asg.TensorType:
        return x.require_float()

    def decompose(self, x: asg.Tensor) -> asg.Tensor:
        return x * asg.clip(x + 3.0, 0.0, 6.0) / 6.0


class CubeOfUser(asg.Op):
    """``scale * x^3``: a primitive with a rule and a kernel on each backend."""

    scale: float = 1.0
    category: ClassVar[str] = "elementwise"

    def infer(self, x: asg.TensorType) -> asg.TensorType:
        return x.require_float()

    def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Sequence[Any]:
        return [3.0 * self.scale * inputs[0] * inputs[0] * cotangents[0]]


asg.register_kernel(CubeOfUser, "numpy", lambda op, x: x * x * x * x.dtype.type(op.scale))
asg.register_kernel(CubeOfUser, "jax", lambda op, x: x * x * x * op.scale)


class OddOfUser(asg.Op):
    """A primitive whose kernel breaks its promise."""

    def infer(self, x: asg.TensorType) -> asg.TensorType:
        return x


asg.register_kernel(OddOfUser, "numpy", lambda op, x: x.astype(np.float64))


class BareOfUser(asg.Op):
    """A primitive without any kernel."""

    def infer(self, x: asg.TensorType) -> asg.TensorType:
        return x


MINE = {name: OPS[name] for name in set(OPS) - BEFORE}
for name in MINE:
    del OPS[name]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The ops are known during these tests only: the contract of all others stays complete."""
    OPS.update(MINE)
    yield
    for name in MINE:
        del OPS[name]


X = np.linspace(-2.5, 2.0, 12).reshape(4, 3) + 0.01


def test_a_composite_of_a_user_keeps_the_contract() -> None:
    sample = Sample(
        HardSwishOfUser(), (X,), lambda x: x * np.clip(x + 3, 0, 6) / 6, (("batch", 3),)
    )
    check_op(HardSwishOfUser, [sample, *_placements(HardSwishOfUser())])


def test_a_primitive_of_a_user_keeps_the_contract() -> None:
    sample = Sample(CubeOfUser(2.0), (X,), lambda x: 2.0 * x**3, (("batch", 3),))
    check_op(CubeOfUser, [sample, *_placements(CubeOfUser(2.0))])


def _placements(op: asg.Op) -> list[Sample]:
    shapes: list[tuple[int, ...]] = [(), (0, 2)]
    return [Sample(op, (np.ones(shape),), None if op.has_decomposition() else _cube, None)
            for shape in shapes]  # fmt: skip


def _cube(x: Any) -> Any:
    return 2.0 * x**3


def test_it_prints_parses_and_draws(tmp_path: Path) -> None:
    graph = asg.Graph(y=CubeOfUser(0.5)(asg.input("x", ("n",))))
    text = str(graph)
    assert "cube_of_user(x, scale=0.5) : f32[n]" in text
    assert str(asg.parse(text)) == text
    assert "cube_of_user" in graph.render(tmp_path / "g.dot").read_text()


def test_it_trains() -> None:
    w = asg.parameter("w", (3,), init=0.5)
    loss = asg.sum((CubeOfUser()(w) - 1.0) ** 2.0)
    for backend in ("numpy", "jax"):
        session = asg.compile(asg.train_step(loss, optimizer=asg.optim.sgd(0.05)), backend).start()
        losses = [float(session()["loss"]) for _ in range(50)]
        assert losses[-1] < 0.01 < losses[0]


def test_a_kernel_that_breaks_its_promise_is_named() -> None:
    with pytest.raises(KernelError, match=r"odd_of_user.*float64.*float32"):
        asg.run(OddOfUser()(asg.ones((2,))))


def test_a_kernel_cannot_write_to_its_operands() -> None:
    x = asg.input("x", (2,))

    def spoil(op: Any, x: Any) -> Any:
        x[0] = 5.0
        return x

    asg.register_kernel(BareOfUser, "numpy", spoil)
    with pytest.raises(ValueError, match="read-only"):
        asg.run(BareOfUser()(x), {x: [1.0, 2.0]})


def test_an_op_without_kernel_says_what_to_register() -> None:
    x = asg.input("x", (2,))
    with pytest.raises(UnsupportedOp, match="bare_of_user"):
        asg.run(BareOfUser()(x), {x: [1.0, 2.0]}, backend="jax")


def test_only_ops_get_kernels_and_only_one() -> None:
    with pytest.raises(OperandError, match="Op subclass"):
        asg.register_kernel(int, "numpy", lambda op, x: x)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="kernel"):
        asg.register_kernel(CubeOfUser, "numpy", _cube)


def test_packages_bring_ops_by_entry_point() -> None:
    assert asg.load_plugins() == []
