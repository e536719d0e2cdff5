"""The two tables, and what registering promises."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import kernel as table
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.kernels import missing_kernels

from asg import ops
from asg.core.dim import symbol
from asg.core.dtype import float32, float64
from asg.core.errors import OperandError, UnsupportedOp
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.origin import scope
from asg.core.registry import OPS
from asg.core.types import TensorType


@pytest.fixture
def new_op() -> Iterator[type[Op]]:
    """An op that no backend knows."""
    before = dict(OPS)

    class UnheardOfForTest(Op):
        def infer(self, x: TensorType) -> TensorType:
            return x

    yield UnheardOfForTest
    table.KERNELS.pop(UnheardOfForTest, None)
    table.VIEWS.pop(UnheardOfForTest, None)
    OPS.clear()
    OPS.update(before)


def copying(op: Op, inputs: Any, outputs: Any, scratch: Any) -> list[table.Call]:
    return [(np.copyto, (outputs[0], inputs[0]))]


def test_a_class_has_one_kernel_and_one_view(new_op: type[Op]) -> None:
    table.kernel(new_op)(copying)
    table.view(new_op)(lambda op, x: None)
    with pytest.raises(OperandError, match="'unheard_of_for_test' has a NumPy kernel"):
        table.kernel(new_op)(copying)
    with pytest.raises(OperandError, match="of this kind already"):
        table.view(new_op)(lambda op, x: x)
    with pytest.raises(OperandError, match="already"):
        table.register_ufunc(new_op, np.exp)


def test_supports_is_true_by_the_line_that_registers(new_op: type[Op]) -> None:
    types = (TensorType(float32, (2,)),)
    assert not BACKEND.supports(new_op(), types)
    table.register_ufunc(new_op, np.exp)
    assert BACKEND.supports(new_op(), types)


def test_a_kernel_may_serve_some_types_only(new_op: type[Op]) -> None:
    table.kernel(new_op, accepts=lambda op, types: types[0].dtype is float32)(copying)
    assert BACKEND.supports(new_op(), (TensorType(float32, (symbol("n"),)),))
    assert not BACKEND.supports(new_op(), (TensorType(float64, (2,)),))
    with pytest.raises(UnsupportedOp, match=r"no kernel for unheard_of_for_test on \(f64\[2\]\)"):
        BACKEND.compile(Graph(y=new_op()(ops.input("x", (2,), float64))))


def test_an_unsupported_op_is_named_with_its_place(new_op: type[Op]) -> None:
    with scope("head"):
        y = new_op()(ops.input("x", (2,)))
    with pytest.raises(UnsupportedOp) as caught:
        BACKEND.compile(Graph(y=y))
    for part in ("backend 'numpy'", "unheard_of_for_test", "test_kernel.py", "[head]", "@kernel"):
        assert part in str(caught.value)


def test_a_view_that_finds_none_needs_a_kernel(new_op: type[Op]) -> None:
    table.view(new_op)(lambda op, x: None)
    with pytest.raises(UnsupportedOp, match="unheard_of_for_test"):
        BACKEND.compile(Graph(y=new_op()(ops.input("x", (2,)))))
    table.kernel(new_op)(copying)
    given = np.ones(2, np.float32)
    assert BACKEND.compile(Graph(y=new_op()(ops.input("x", (2,)))))([given])[0].tolist() == [1, 1]


def test_every_op_is_supported_or_decomposed() -> None:
    assert missing_kernels() == []


def test_missing_kernels_lists_primitives_without_kernel(new_op: type[Op]) -> None:
    assert new_op in missing_kernels()


def test_inplace_true_is_about_a_single_output() -> None:
    entry = table.Kernel(copying, inplace=True)
    assert entry.may_overwrite(0, 1, 1)
    assert not entry.may_overwrite(0, 1, 2)
    pairs = table.Kernel(copying, inplace=((0, 1),))
    assert pairs.may_overwrite(0, 1, 2) and not pairs.may_overwrite(1, 0, 2)
    assert not table.Kernel(copying).may_overwrite(0, 0, 1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("function", [np.maximum, np.minimum, np.add])
def test_ufunc_calls_write_into_their_output_without_a_word(function: np.ufunc) -> None:
    x, y, out = np.array([1.0, 5.0]), np.array([3.0, 2.0]), np.empty(2)
    made, args = table.ufunc_call(function, x, y, out=out)
    made(*args)
    assert np.array_equal(out, function(x, y))


def test_repeats_are_dropped_only_where_all_elements_are_one() -> None:
    scalar = np.array(2.0)
    assert table.without_repeats(np.broadcast_to(scalar, (3, 4))).shape == ()
    for kept in (scalar, np.ones((1, 4)), np.broadcast_to(np.ones(4), (3, 4)), np.ones((0, 3))):
        assert table.without_repeats(kept) is kept
