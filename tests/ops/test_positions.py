"""Positions: what makes each of them useful, precision, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

X = np.sin(np.arange(48.0) * 1.7 + 0.4).reshape(2, 4, 6)


@pytest.mark.parametrize("interleaved", [False, True])
def test_scores_depend_on_distance_alone(interleaved: bool) -> None:
    q, k = asg.constant(X[0]), asg.constant(X[1])
    near, far = (
        asg.matmul(
            asg.rope(q, offset=start, interleaved=interleaved),
            asg.rope(k, offset=start, interleaved=interleaved).mT,
        )
        for start in (0, 1000)
    )
    found = asg.run([near, far])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)


def test_rotation_as_written_in_pytorch() -> None:
    """The form of Llama: ``x * cos + rotate_half(x) * sin``."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, requires_grad=True)
    power = 500.0 ** (-torch.arange(0, 6, 2, dtype=torch.float64) / 6)
    angle = torch.outer(torch.arange(4, dtype=torch.float64) + 3, power).repeat(1, 2)
    half = torch.cat([-x[..., 3:], x[..., :3]], -1)
    wanted = x * angle.cos() + half * angle.sin()
    (slope,) = torch.autograd.grad((wanted**3).sum(), x)
    t = asg.input("x", X.shape, "float64")
    y = asg.rope(t, offset=3, base=500.0)
    found = asg.run([y, asg.grad((y * y * y).sum(), t)], {t: X})
    np.testing.assert_allclose(found[0], wanted.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(found[1], slope.numpy(), rtol=1e-10)


def test_turning_back_is_the_gradient() -> None:
    x = asg.input("x", ("batch", "t", 6))
    gradient = asg.grad(asg.rope(x).sum(), x)
    names = [node.op for node in asg.Graph(g=gradient).nodes if node.op.name == "rope"]
    assert [op.attributes()["inverse"] for op in names] == [True]


def test_positions_may_be_a_tensor_or_start_at_one() -> None:
    x, start = asg.constant(X), asg.input("start", (), "int32")
    whole = asg.rope(x)
    tail = asg.rope(asg.constant(X[:, 2:]), offset=start)
    named = asg.rope(asg.constant(X[:, ::-1].copy()), [3, 2, 1, 0])
    found = asg.run([whole, tail, named], {start: np.int32(2)})
    np.testing.assert_allclose(found[1], found[0][:, 2:], rtol=1e-13)
    np.testing.assert_allclose(found[2], found[0][:, ::-1], rtol=1e-13)


def test_distance_bias_of_eight_heads() -> None:
    found = np.asarray(asg.run(asg.alibi_bias(8, 4)))
    np.testing.assert_array_equal(found[:, 3, 0], [-3.0 * 2.0 ** -(h + 1) for h in range(8)])
    np.testing.assert_array_equal(found, found.swapaxes(1, 2))


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: asg.rope(asg.input("x", (3, 5))), ShapeError, "5 features do not form pairs"),
    (lambda: asg.rope(asg.input("x", (3, "d"))), ShapeError, "d features do not form pairs"),
    (lambda: asg.rope(asg.input("x", (4,))), ShapeError, "no axis of positions"),
    (lambda: asg.rope(asg.input("x", (3, 4)), [0, 1]), ShapeError, "do not broadcast"),
    (lambda: asg.rope(asg.input("x", (3, 4)), [[0, 1, 2]]), ShapeError, "do not broadcast"),
    (lambda: asg.rope(asg.input("x", (3, 4)), [0.0, 1.0, 2.0]), DtypeError, "integers are needed"),
    (lambda: asg.rope(asg.input("x", (3, 4), "int32")), DtypeError, "a floating dtype is needed"),
    (lambda: asg.rope(asg.input("x", (3, 4)), base=0), OperandError, "base is 0"),
    (lambda: asg.alibi_bias(0, 3), OperandError, "0 heads"),
    (lambda: asg.alibi_bias(2, 3, dtype="int32"), DtypeError, "choose a floating dtype"),
    (lambda: asg.sinusoidal_positions(3, 3), ShapeError, "3 features do not form pairs"),
]


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
