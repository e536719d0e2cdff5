"""Attention against PyTorch: values, gradients, second derivatives; masked rows; refusals."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

attend = asg.scaled_dot_product_attention
QUERY = np.sin(np.arange(48.0) * 1.7 + 0.4).reshape(1, 4, 3, 4)
KEY = np.cos(np.arange(80.0) * 1.3 + 0.2).reshape(1, 4, 5, 4)
VALUE = np.sin(np.arange(40.0) * 0.9 + 1.1).reshape(1, 4, 5, 2)
MASK = np.array([[1, 0, 1, 1, 0], [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]], bool)


def theirs(**options: Any) -> Any:
    """PyTorch's function, by the kernel that has second derivatives."""
    torch = pytest.importorskip("torch")
    backend = torch.nn.attention.SDPBackend.MATH

    def function(*operands: Any) -> Any:
        with torch.nn.attention.sdpa_kernel(backend):
            return torch.nn.functional.scaled_dot_product_attention(*operands, **options)

    return function


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"scale": 0.3}], ids=str)
def test_as_pytorch(options: dict[str, Any], backend: str) -> None:
    assert_as_pytorch(
        lambda q, k, v: attend(q, k, v, **options),
        theirs(**options),
        [QUERY, KEY, VALUE],
        backend=backend,
    )


@pytest.mark.parametrize("mask", [MASK, np.cos(np.arange(15.0)).reshape(3, 5)], ids=["bool", "sum"])
def test_masks_as_pytorch(mask: Any) -> None:
    assert_as_pytorch(attend, theirs(), [QUERY, KEY, VALUE, mask])


def test_a_row_without_anything_to_see_as_pytorch() -> None:
    mask = MASK.copy()
    mask[1] = False
    assert_as_pytorch(attend, theirs(), [QUERY, KEY, VALUE, mask], order=1)


def test_grouped_queries_as_pytorch() -> None:
    assert_as_pytorch(
        lambda q, k, v: attend(q, k, v, is_causal=True, enable_gqa=True),
        theirs(is_causal=True, enable_gqa=True),
        [QUERY, KEY[:, :2].copy(), VALUE[:, :2].copy()],
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("floating", [False, True])
def test_masked_rows_are_zeros_with_zero_gradient(dtype: str, backend: str, floating: bool) -> None:
    mask = np.array([[True, False], [False, False]])
    data = np.where(mask, 0.0, -np.inf).astype(np.float32) if floating else mask
    x = asg.input("x", (2, 2), dtype)
    m = asg.input("m", (2, 2), "float32" if floating else "bool")
    result = attend(x, x, x, m)
    gradient = asg.grad((result * result).sum(), x)
    second = asg.grad((gradient * gradient).sum(), x)
    feeds = {x: np.array([[200.0, 1.0], [-200.0, 3.0]]).astype(x.dtype.numpy), m: data}
    value, first, other = asg.run([result, gradient, second], feeds, backend=backend)
    np.testing.assert_array_equal(np.asarray(value).astype(float), [[200.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(np.asarray(first).astype(float), [[400.0, 2.0], [0.0, 0.0]])
    assert np.isfinite(np.asarray(other).astype(float)).all()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_scores_beyond_half_precision_are_finite(backend: str) -> None:
    x = asg.input("x", (3, 4), "float16")
    result = attend(x, x, x)
    data = (np.sin(np.arange(12.0)).reshape(3, 4) * 3000.0).astype(np.float16)
    for found in asg.run([result, asg.grad(result.sum(), x)], {x: data}, backend=backend):
        assert np.isfinite(np.asarray(found).astype(float)).all()


def test_decoding_with_a_cache_equals_the_whole() -> None:
    """The last queries alone, with their offset, see what they saw among all."""
    q, k = (asg.input(name, (2, "s", 4), "float64") for name in "qk")
    last = asg.input("last", (2, 2, 4), "float64")
    length = k.shape[1]
    options: dict[str, Any] = {"is_causal": True, "window": 3}
    whole = attend(q, k, k, **options)
    part = attend(last, k, k, offset=length - 2, **options)
    data = np.sin(np.arange(48.0)).reshape(2, 6, 4)
    found = asg.run([whole, part], {q: data, k: data[:, ::-1].copy(), last: data[:, -2:].copy()})
    np.testing.assert_allclose(found[1], found[0][:, -2:], rtol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_dropout_drops_weights_by_its_key(backend: str) -> None:
    shape = (4, 50, 8)
    x = asg.constant(np.sin(np.arange(1600.0)).reshape(shape).astype(np.float32))
    ones = asg.ones((4, 50, 1))
    keys = [asg.random_key(seed) for seed in (0, 0, 1)]
    results = [attend(x, x, ones, dropout_p=0.25, dropout_key=key) for key in keys]
    first, again, other = asg.run(results, backend=backend)
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert abs(float(np.mean(first)) - 1.0) < 0.05
    assert float(np.std(first)) > 0.02


def test_attention_is_one_box_and_shares_its_softmax_with_the_gradient() -> None:
    x = asg.input("x", ("batch", "t", 8))
    result = attend(x, x, x, is_causal=True)
    assert [node.op.name for node in asg.Graph(y=result).nodes if node.inputs] == [
        "scaled_dot_product_attention"
    ]
    graph = asg.Graph(y=result, g=asg.grad(result.sum(), x)).optimize("numpy")
    names = [node.op.name for node in graph.nodes]
    assert names.count("masked_softmax") + names.count("exp") <= 2
    assert names.count("exp") <= 1


def test_softmax_with_a_mask() -> None:
    x = asg.input("x", (2, 3))
    value = asg.masked_softmax(x, asg.constant([[True, False, True], [False] * 3]))
    weights = asg.constant(np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 7.0]], np.float32))
    found = asg.run([value, asg.grad((value * weights).sum(), x)], {x: np.zeros((2, 3), "f4")})
    np.testing.assert_allclose(found[0], np.array([[0.5, 0, 0.5], [0, 0, 0]]))
    np.testing.assert_allclose(found[1], np.array([[-0.75, 0, 0.75], [0, 0, 0]]))


def of(*shape: Any, dtype: str = "float32") -> asg.Tensor:
    return asg.input("x", shape, dtype)


text: Any = "s"
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: attend(of(3, 4), of(5, 3), of(5, 2)), ShapeError, "key and query differ in features"),
    (lambda: attend(of(3, 4), of(5, 4), of(6, 2)), ShapeError, "value and key differ in length"),
    (lambda: attend(of(4), of(5, 4), of(5, 2)), ShapeError, "query .* needs 2 axes"),
    (lambda: attend(of(2, 3, 4), of(3, 5, 4), of(3, 5, 4)), ShapeError, "cannot broadcast"),
    (lambda: attend(of(3, 4, 4), of(2, 4, 4), of(2, 4, 4), enable_gqa=True), ShapeError,
     "3 heads of queries cannot share 2 heads"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), of(3, 4)), ShapeError, "does not broadcast to"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), of(1, 3, 5)), ShapeError, "give it the axes"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), of(3, 5, dtype="int32")), DtypeError,
     "mask is int32"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), dropout_p=0.5), OperandError, "is missing"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), dropout_key=asg.random_key(0)), OperandError,
     "is given"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), dropout_p=1.5, dropout_key=asg.random_key(0)),
     OperandError, "dropout is 1.5"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), window=0), OperandError, "window is 0"),
    (lambda: attend(of(3, 4), of(5, 4), of(5, 4), scale=text), OperandError, "scale is 's'"),
    (lambda: asg.masked_softmax(of(3), of(3)), DtypeError, "condition"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()
