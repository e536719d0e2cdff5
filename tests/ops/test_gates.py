"""Gated linear units against PyTorch, and what they refuse."""

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

BLOCK = np.sin(np.arange(48.0) * 1.7).reshape(2, 6, 4) * 2.0


@pytest.mark.parametrize("axis", [-1, 1, 0])
def test_as_pytorch(axis: int) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    assert_as_pytorch(lambda x: asg.glu(x, axis), lambda x: functional.glu(x, axis), [BLOCK])
    for ours, activation in ((asg.swiglu, functional.silu), (asg.geglu, functional.gelu)):
        assert_as_pytorch(
            lambda x, f=ours: f(x, axis),
            lambda x, f=activation: f(x.chunk(2, axis)[0]) * x.chunk(2, axis)[1],
            [BLOCK],
        )


def test_halves_must_be_equal() -> None:
    for function in (asg.glu, asg.swiglu, asg.geglu):
        with pytest.raises(ShapeError, match="does not have two equal halves"):
            function(asg.input("x", ("batch", 3)))
        with pytest.raises(ShapeError, match="axis 2 does not exist"):
            function(asg.input("x", ("batch", 4)), 2)
        with pytest.raises(DtypeError, match="a floating dtype is needed"):
            function(asg.input("x", ("batch", 4), "int32"))
    n = asg.input("x", ("n",))
    with pytest.raises(asg.AsgError, match="two equal halves"):
        asg.run(asg.glu(n), {n: np.ones(3, np.float32)})
    with pytest.raises(OperandError, match="choose 'none' or 'tanh'"):
        asg.geglu(asg.input("x", (4,)), approximate="erf")  # type: ignore[arg-type]
