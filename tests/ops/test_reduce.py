"""Reductions beyond the samples: forms of axes, dtypes, refusals, PyTorch's gradients."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asg
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from asg.ops.reduce import Sum
from asg.testing.parity import compile_plainly

X = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4)
FUNCTIONS = [asg.sum, asg.prod, asg.max, asg.min, asg.mean, asg.var, asg.std, asg.all, asg.any]


def run(tensor: asg.Tensor, feeds: Any = None, backend: str = "numpy") -> Any:
    return np.asarray(asg.run(tensor, feeds or {}, backend=backend))


@given(
    axis=st.one_of(
        st.none(),
        st.integers(-3, 2),
        st.lists(st.integers(0, 2), unique=True).flatmap(
            lambda axes: st.tuples(*(st.sampled_from([a, a - 3]) for a in axes))
        ),
    ),
    keepdims=st.booleans(),
    name=st.sampled_from(["sum", "prod", "max", "min", "mean", "var", "std"]),
)
def test_axes_are_read_as_numpy_reads_them(axis: Any, keepdims: bool, name: str) -> None:
    actual = run(getattr(asg, name)(asg.constant(X), axis, keepdims=keepdims))
    expected = getattr(np, name)(X, axis, keepdims=keepdims)
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


def test_methods_of_tensors_are_these_functions() -> None:
    x = asg.constant(X)
    for name in ("sum", "prod", "max", "min", "mean", "var", "std"):
        expected = getattr(np, name)(X, axis=(0, 2), keepdims=True)
        np.testing.assert_allclose(run(getattr(x, name)((0, 2), keepdims=True)), expected, 1e-12)
    assert run(x.argmax(1)).tolist() == X.argmax(1).tolist()
    assert run((x > 0).all()) == (X > 0).all()


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_wrong_axis_is_refused(function: Any) -> None:
    x = asg.input("x", ("batch", 3))
    with pytest.raises(ShapeError, match="axis 2 does not exist: x has axes -2 to 1"):
        function(x, 2)
    with pytest.raises(ShapeError, match="axis repeated"):
        function(x, (0, -2))
    with pytest.raises(OperandError, match="axis 'batch' is not an integer"):
        function(x, "batch")


def test_bools_are_counted_and_integers_keep_their_dtype() -> None:
    truths = asg.constant(np.array([True, True, False]))
    assert run(asg.sum(truths)) == 2
    assert asg.sum(truths).dtype is asg.int32
    for dtype in ("int8", "uint16", "int64"):
        numbers = asg.input("numbers", (3,), dtype)
        assert asg.sum(numbers).dtype.name == asg.prod(numbers).dtype.name == dtype


def test_extremes_of_bool_are_refused() -> None:
    with pytest.raises(DtypeError, match="x is bool, a number is needed"):
        asg.max(asg.input("flags", (3,), "bool"))


@pytest.mark.parametrize("function", [asg.max, asg.min, asg.argmax, asg.logsumexp, asg.softmax])
def test_no_elements_are_refused_when_the_type_is_made(function: Any) -> None:
    with pytest.raises(ShapeError, match="of no elements has no value"):
        function(asg.input("x", (3, 0)), 1)
    assert function(asg.input("x", (0, 3)), 1).shape[0] == 0


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_no_elements_are_refused_before_the_run_when_the_size_is_symbolic(backend: str) -> None:
    x = asg.input("x", (asg.dim("n", minimum=0),))
    program = asg.compile(asg.Graph(y=asg.max(x)), backend)
    assert np.asarray(program(x=np.array([1.0, 3.0], np.float32))["y"]) == 3.0
    with pytest.raises(AsgError, match="max of no elements has no value"):
        program(x=np.zeros(0, np.float32))


def test_op_classes_want_canonical_axes() -> None:
    with pytest.raises(ShapeError, match="axes"):
        Sum((-1,))(asg.input("x", (2, 3)))
    with pytest.raises(ShapeError, match="axes"):
        Sum((1, 0))(asg.input("x", (2, 3)))


@pytest.mark.parametrize("function", ["argmax", "argmin"])
def test_places_in_the_flattened_tensor(function: str) -> None:
    x = asg.input("x", ("n", 3, 4), "float64")
    for keepdims in (False, True):
        found = run(getattr(asg, function)(x, keepdims=keepdims), {x: X})
        expected = getattr(np, function)(X, keepdims=keepdims)
        assert (found == expected).all()
        assert found.shape == np.shape(expected)
        assert found.dtype == np.int32


def test_numbers_are_true_unless_zero() -> None:
    x = asg.constant(np.array([[0.0, np.nan], [1.0, -2.0], [0.0, 0.0]]))
    assert run(asg.all(x, 1)).tolist() == [False, True, False]
    assert run(asg.any(x, 1)).tolist() == [True, True, False]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("size", [3, 16, 257])
def test_nan_is_never_lost(backend: str, size: int) -> None:
    for place in {0, size // 2, size - 1}:
        data = np.arange(size, dtype=np.float32)
        data[place] = np.nan
        x = asg.constant(data)
        for function in (asg.max, asg.min, asg.sum, asg.mean, asg.prod, asg.var, asg.logsumexp):
            assert np.isnan(run(function(x), backend=backend)), (function.__name__, place)
        assert run(asg.argmax(x), backend=backend) == run(asg.argmin(x), backend=backend) == place


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_floats_are_added_up_in_float32(dtype: str, backend: str) -> None:
    ones = asg.ones((3000,), dtype)
    assert run(asg.sum(ones), backend=backend).astype(float) == np.array(
        3000.0, ones.dtype.numpy
    ).astype(float)
    large = asg.full((1000,), 300.0, dtype)  # its sum is above the largest float16
    assert abs(float(run(asg.mean(large), backend=backend)) - 300.0) <= 1.0
    assert float(run(asg.var(large), backend=backend)) == 0.0


def test_sums_of_many_float32_stay_accurate() -> None:
    data = np.random.default_rng(0).random((1000, 1000), np.float32)
    exact = data.astype(np.float64)
    for axis in (None, 0, 1):
        actual = run(asg.sum(asg.constant(data), axis))
        np.testing.assert_allclose(actual, exact.sum(axis), rtol=1e-5)


ZEROS = [
    np.array([[1.5, -2.0, 0.5], [0.0, 3.0, -1.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]]),
]


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_product_matches_pytorch_at_zeros_to_second_order(axis: int | None) -> None:
    torch = pytest.importorskip("torch")
    data = ZEROS[0][:, :2] if axis is None else ZEROS[0]
    x = asg.input("x", data.shape, "float64")
    first = asg.grad(asg.prod(x, axis).sum(), x)
    second = asg.grad((first * asg.constant(np.cos(data))).sum(), x)
    t = torch.tensor(data, requires_grad=True)
    product = torch.prod(t) if axis is None else torch.prod(t, axis)
    (one,) = torch.autograd.grad(product.sum(), t, create_graph=True)
    (two,) = torch.autograd.grad((one * torch.cos(t.detach())).sum(), t)
    np.testing.assert_allclose(run(first, {x: data}), one.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(run(second, {x: data}), two.numpy(), rtol=1e-12)


def test_third_derivative_of_a_product_is_exact_at_zeros() -> None:
    x = asg.input("x", (4,), "float64")
    u, v = (asg.constant(np.array(each)) for each in ([1.0, 2.0, 0.5, 3.0], [0.3, 1.0, 2.0, 0.7]))
    first = asg.grad(asg.prod(x), x)
    third = asg.grad((asg.grad((first * u).sum(), x) * v).sum(), x)
    found = run(third, {x: np.array([0.0, 0.0, 0.0, 2.0])})
    # d3/dx_i dx_j dx_k of x0 x1 x2 x3 is the remaining factor.
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    expected = [
        sum(
            [1.0, 2.0, 0.5, 3.0][i] * [0.3, 1.0, 2.0, 0.7][j]
            * float(np.prod([[0.0, 0.0, 0.0, 2.0][m] for m in range(4) if m not in (i, j, k)]))
            for i, j in pairs if k not in (i, j)
        )
        for k in range(4)
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_ties_share_as_pytorch_amax() -> None:
    torch = pytest.importorskip("torch")
    data = np.array([[1.0, 3.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0], [0.0, 1.0, 2.0, 3.0]])
    x = asg.input("x", data.shape, "float64")
    for function, other in ((asg.max, torch.amax), (asg.min, torch.amin)):
        for axis in (0, 1, (0, 1)):
            t = torch.tensor(data, requires_grad=True)
            other(t, axis).sum().backward()
            found = run(asg.grad(function(x, axis).sum(), x), {x: data})
            np.testing.assert_allclose(found, t.grad.numpy(), rtol=1e-15)


def test_reductions_of_views_read_the_right_elements() -> None:
    x = asg.input("x", (2, 3, 4), "float64")
    moved = asg.permute_dims(x, (2, 0, 1))[::-1, :, 1:]
    numbers = X.transpose(2, 0, 1)[::-1, :, 1:]
    outputs = {
        "sum": asg.sum(moved, (0, 2)), "max": asg.max(moved, 1), "places": asg.argmax(moved, 0),
        "product": asg.prod(moved, 2), "soft": asg.softmax(moved, 0),
    }  # fmt: skip
    found = compile_plainly(asg.Graph(outputs), "numpy")(x=X)
    np.testing.assert_allclose(found["sum"], numbers.sum((0, 2)), rtol=1e-13)
    np.testing.assert_allclose(found["max"], numbers.max(1))
    np.testing.assert_array_equal(found["places"], numbers.argmax(0))
    np.testing.assert_allclose(found["product"], numbers.prod(2), rtol=1e-13)
    raised = np.exp(numbers)
    np.testing.assert_allclose(found["soft"], raised / raised.sum(0), rtol=1e-13)
