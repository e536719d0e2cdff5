"""Normalisations with channels against PyTorch, in half precision, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

BLOCK = np.sin(np.arange(36.0) * 1.7 + 0.4).reshape(3, 4, 3) * 2.0
WEIGHT = np.array([0.7, -1.2, 1.9, 0.4])
BIAS = np.array([0.1, 0.8, -0.3, 2.0])
MEAN = np.array([0.5, -0.1, 0.3, 0.2])
VAR = np.array([1.5, 0.7, 0.3, 2.2])


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_groups_and_instances_as_pytorch(backend: str) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    for groups in (1, 2, 4):
        assert_as_pytorch(
            lambda x, w, b, g=groups: asg.group_norm(x, g, w, b, 1e-3),
            lambda x, w, b, g=groups: functional.group_norm(x, g, w, b, 1e-3),
            [BLOCK, WEIGHT, BIAS],
            backend=backend,
        )
    assert_as_pytorch(
        lambda x, w, b: asg.instance_norm(x, w, b, 1e-3),
        lambda x, w, b: functional.instance_norm(x, weight=w, bias=b, eps=1e-3),
        [BLOCK, WEIGHT, BIAS],
        backend=backend,
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_batches_as_pytorch(backend: str) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    assert_as_pytorch(
        asg.batch_norm,
        lambda x, m, v, w, b: (
            (x - m[:, None]) * (v[:, None] + 1e-5) ** -0.5 * w[:, None] + b[:, None]
        ),
        [BLOCK, MEAN, VAR, WEIGHT, BIAS],
        backend=backend,
    )
    assert_as_pytorch(
        lambda x, w, b: asg.batch_norm(x, MEAN, VAR, w, b),
        lambda x, w, b: functional.batch_norm(x, x.new(MEAN), x.new(VAR), w, b),
        [BLOCK, WEIGHT, BIAS],
        backend=backend,
    )
    assert_as_pytorch(
        lambda x, w, b: asg.batch_norm_training(x, w, b, eps=1e-3)[0],
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True, eps=1e-3),
        [BLOCK, WEIGHT, BIAS],
        backend=backend,
    )


def test_neighbours_and_length_as_pytorch() -> None:
    functional = pytest.importorskip("torch.nn.functional")
    for size in (1, 2, 3, 5):
        assert_as_pytorch(
            lambda x, n=size: asg.local_response_norm(x, n, 0.3, 0.6, 2.0),
            lambda x, n=size: functional.local_response_norm(x, n, 0.3, 0.6, 2.0),
            [BLOCK],
        )
    for axis in (0, 1, -1):
        assert_as_pytorch(
            lambda x, a=axis: asg.l2_normalize(x, a),
            lambda x, a=axis: functional.normalize(x, dim=a),
            [BLOCK],
        )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_normalised_in_float32(dtype: str, backend: str) -> None:
    data = np.linspace(-300.0, 300.0, 128).reshape(2, 2, 32)  # squares leave float16
    x = asg.input("x", data.shape, dtype)
    y, mean, var = asg.batch_norm_training(x)
    assert (y.dtype, mean.dtype, var.dtype) == (x.dtype, asg.float32, asg.float32)
    values = [y, asg.group_norm(x, 1), asg.instance_norm(x), asg.l2_normalize(x)]
    slopes = [asg.grad((value * value).sum(), x) for value in values]
    found = asg.run([*values, *slopes, mean, var], {x: data.astype(x.dtype.numpy)}, backend=backend)
    assert all(np.isfinite(np.asarray(each).astype(np.float32)).all() for each in found)
    rounded = data.astype(x.dtype.numpy).astype(float)
    np.testing.assert_allclose(found[-1], rounded.var((0, 2)), rtol=1e-5)


def test_a_vector_of_zeros_has_no_nan() -> None:
    x = asg.input("x", (2,))
    value = asg.l2_normalize(x)
    found = asg.run([value, asg.grad(value.sum(), x)], {x: np.zeros(2, np.float32)})
    np.testing.assert_allclose(found, [[0.0, 0.0], [1e12, 1e12]], rtol=1e-6)


def test_a_bias_without_weight_is_added() -> None:
    x = asg.constant(BLOCK)
    y, *_ = asg.batch_norm_training(x, bias=BIAS)
    pairs = [
        (asg.group_norm(x, 2, bias=BIAS), asg.group_norm(x, 2)),
        (asg.batch_norm(x, MEAN, VAR, bias=BIAS), asg.batch_norm(x, MEAN, VAR)),
        (y, asg.batch_norm_training(x)[0]),
    ]
    for with_bias, plain in pairs:
        found, expected = asg.run([with_bias, plain])
        np.testing.assert_allclose(found, expected + BIAS[:, None], rtol=1e-14)


def test_a_layer_is_one_box() -> None:
    x, w = asg.input("x", ("batch", 4, "w")), asg.input("w", (4,))
    graph = asg.Graph(y=asg.group_norm(x, 2, w, w))
    assert [node.op.name for node in graph.nodes if node.inputs] == ["group_norm"]


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda x: asg.group_norm(x, 3), ShapeError, "4 channels do not divide into 3 groups"),
    (lambda x: asg.group_norm(x, 0), OperandError, "0 groups"),
    (lambda x: asg.group_norm(x, 2, asg.input("w", (3,))), ShapeError, r"weight f32\[3\] does not"),
    (lambda x: asg.group_norm(x, 2, bias=asg.input("b", (3,))), ShapeError, "does not fit 4"),
    (lambda x: asg.batch_norm(x, asg.input("m", (4,)), asg.input("v", (4, 1))), ShapeError,
     r"var f32\[4, 1\] does not have one number for each of 4 channels"),
    (lambda x: asg.batch_norm_training(x, eps=-1), OperandError, "eps is -1"),
    (lambda x: asg.batch_norm_training(x, axis=3), ShapeError, "axis 3 does not exist"),
    (lambda x: asg.instance_norm(x[:, :, 0]), ShapeError, "deviation from itself is 0"),
    (lambda x: asg.local_response_norm(x, 0), OperandError, "size is 0"),
    (lambda x: asg.local_response_norm(x, 3, "b"), OperandError, "alpha is 'b'"),  # type: ignore[arg-type]
    (lambda x: asg.local_response_norm(x[0, 0], 3), ShapeError, "has no channels"),
    (lambda x: asg.l2_normalize(x, 5), ShapeError, "axis 5 does not exist"),
    (lambda x: asg.l2_normalize(x, eps=0), OperandError, r"eps is 0\.0"),
    (lambda x: asg.group_norm(x.astype("int32"), 2), DtypeError, "a floating dtype is needed"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build(asg.input("x", ("batch", 4, 3)))
