"""TensorType, the questions `infer` rules ask, and broadcasting."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from asg.core.dim import dim_max, symbol
from asg.core.dtype import bool_, float16, float32, float64, int32
from asg.core.errors import AsgError, DimError, DtypeError, OperandError, ShapeError
from asg.core.types import (
    SizeCheck,
    TensorType,
    TypeProblem,
    as_shape,
    broadcast_shapes,
    broadcast_types,
    normalize_axes,
    normalize_axis,
    require_equal,
    require_less_equal,
    take_checks,
)

BATCH, N, M = symbol("batch"), symbol("n"), symbol("m")


@pytest.fixture(autouse=True)
def no_check_is_left_over() -> Iterator[None]:
    take_checks()
    yield
    take_checks()


def test_a_type_prints_dtype_and_sizes() -> None:
    assert str(TensorType.of(float32, ("batch", 784))) == "f32[batch, 784]"
    assert str(TensorType.of("bool", ())) == "bool[]"
    assert str(TensorType.of(float16, ("2*n + 1",))) == "f16[2*n + 1]"


def test_types_are_equal_by_dtype_and_normal_form_of_sizes() -> None:
    assert TensorType(float32, (N + N,)) == TensorType(float32, (2 * N,))
    assert hash(TensorType(float32, (N + N,))) == hash(TensorType(float32, (2 * N,)))
    assert TensorType(float32, (N,)) != TensorType(float64, (N,))
    assert TensorType(float32, (N,)) != TensorType(float32, (M,))


def test_facts_of_a_type() -> None:
    described = TensorType.of(float32, ("n", 3, 4))
    assert (described.ndim, described.size, described.is_static) == (3, 12 * N, False)
    assert TensorType.of(float32, ()).size == 1
    assert TensorType.of(float32, (2, 0)).size == 0
    assert described.with_shape((5,)) == TensorType(float32, (5,))
    assert described.with_dtype(int32).dtype is int32


def test_shapes_come_from_ints_names_and_sizes() -> None:
    from_numpy: Any = np.int64(2)
    assert as_shape(3) == (3,)
    assert as_shape("n") == (N,)
    assert as_shape((from_numpy, "n", N + 1)) == (2, N, N + 1)
    assert all(type(size) is int for size in as_shape((from_numpy,)))


@pytest.mark.parametrize("shape", [(-1,), (2, -3), -4])
def test_a_negative_size_is_refused(shape: Any) -> None:
    with pytest.raises(ShapeError, match="negative"):
        as_shape(shape)


@pytest.mark.parametrize("shape", [(True,), (1.5,), (None,), ("two words",), ("",)])
def test_what_is_no_size_is_refused(shape: Any) -> None:
    with pytest.raises(DimError):
        as_shape(shape)


@pytest.mark.parametrize(
    ("dtype", "refused"),
    [
        (float32, {"require_integer", "require_bool"}),
        (int32, {"require_float", "require_bool"}),
        (bool_, {"require_float", "require_integer", "require_numeric"}),
    ],
)
@pytest.mark.parametrize(
    "question", ["require_float", "require_numeric", "require_integer", "require_bool"]
)
def test_requirements_on_the_dtype(dtype: Any, refused: set[str], question: str) -> None:
    asked = TensorType(dtype, (2,))
    ask: Callable[[str], TensorType] = getattr(asked, question)
    if question not in refused:
        assert ask("logits") is asked
        return
    with pytest.raises(TypeProblem, match=f"logits is {dtype.name}") as caught:
        ask("logits")
    assert caught.value.error is DtypeError
    assert "logits" in caught.value.advice


def test_requirements_on_axes() -> None:
    matrix = TensorType.of(float32, (2, 3))
    assert matrix.require_ndim(2).require_axis(-2) is matrix
    with pytest.raises(TypeProblem, match="x has 2 axes, 3 are needed"):
        matrix.require_ndim(3)
    with pytest.raises(TypeProblem, match="axis 2 does not exist: x has axes -2 to 1"):
        matrix.require_axis(2)


@pytest.mark.parametrize(("axis", "counted"), [(0, 0), (2, 2), (-1, 2), (-3, 0)])
def test_an_axis_counts_from_the_front(axis: int, counted: int) -> None:
    assert normalize_axis(axis, 3) == counted


@pytest.mark.parametrize(
    ("axis", "ndim", "error"),
    [(3, 3, ShapeError), (-4, 3, ShapeError), (0, 0, ShapeError), (1.0, 3, OperandError)],
)
def test_an_axis_that_is_none(axis: Any, ndim: int, error: type[AsgError]) -> None:
    with pytest.raises(TypeProblem) as caught:
        normalize_axis(axis, ndim)
    assert caught.value.error is error


def test_axes_are_sorted_distinct_and_non_negative() -> None:
    assert normalize_axes(None, 3) == (0, 1, 2)
    assert normalize_axes(-1, 3) == (2,)
    assert normalize_axes([-1, 0], 3) == (0, 2)
    assert normalize_axes((), 3) == ()
    with pytest.raises(TypeProblem, match="repeated"):
        normalize_axes((0, -3), 3)


def test_equal_sizes_need_no_check() -> None:
    assert require_equal(N + N, 2 * N, "rows") == 2 * N
    assert require_equal(3, 3, "rows") == 3
    assert take_checks() == ()


def test_sizes_that_can_never_be_equal_are_a_problem() -> None:
    with pytest.raises(TypeProblem, match="rows: n against n \\+ 1") as caught:
        require_equal(N, N + 1, "rows", "transpose it")
    assert (caught.value.sizes, caught.value.advice) == ((N, N + 1), "transpose it")


def test_sizes_that_may_be_equal_are_checked_at_run_time() -> None:
    assert require_equal(N, M, "rows") == N
    assert require_equal(N, 7, "columns") == 7
    assert take_checks() == (SizeCheck(N, "==", M, "rows"), SizeCheck(N, "==", 7, "columns"))
    assert take_checks() == ()


def test_order_of_sizes() -> None:
    require_less_equal(3, 4, "window")
    require_less_equal(N, N + 1, "window")
    assert take_checks() == ()
    require_less_equal(3, N, "window")
    assert take_checks() == (SizeCheck(3, "<=", N, "window"),)
    with pytest.raises(TypeProblem, match="window: 5 exceeds 4"):
        require_less_equal(5, 4, "window")


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(3, 1), (4,)], (3, 4)),
        ([(4,), (3, 1)], (3, 4)),
        ([(), (2, 3)], (2, 3)),
        ([(), ()], ()),
        ([(1,), (0,)], (0,)),
        ([(0, 1), (1, 5)], (0, 5)),
        ([(2, 1, 1), (3, 1), (4,)], (2, 3, 4)),
        ([(BATCH, 3), (3,)], (BATCH, 3)),
        ([(BATCH, 1), (1, N)], (BATCH, N)),
        ([(BATCH,), (1,)], (BATCH,)),
        ([(2 * N,), (N + N,)], (2 * N,)),
        ([(5,)], (5,)),
    ],
)
def test_broadcasting(shapes: list[Any], expected: Any) -> None:
    assert broadcast_shapes(*shapes) == expected
    assert take_checks() == ()


def test_a_symbolic_size_is_never_taken_for_one() -> None:
    assert broadcast_shapes((N,), (M,)) == (N,)
    assert [(c.left, c.relation, c.right) for c in take_checks()] == [(N, "==", M)]
    assert broadcast_shapes((N,), (8,)) == (8,)
    assert [(c.left, c.relation, c.right) for c in take_checks()] == [(N, "==", 8)]


@pytest.mark.parametrize(
    "shapes",
    [
        [(2,), (3,)],
        [(2, 3), (2,)],
        [(0,), (2,)],
        [(N,), (N + 1,)],
        [(symbol("big", minimum=4),), (2,)],
        [(dim_max(N, 5),), (2,)],
    ],
)
def test_shapes_that_never_broadcast(shapes: list[Any]) -> None:
    with pytest.raises(TypeProblem, match="cannot broadcast: axis -1") as caught:
        broadcast_shapes(*shapes)
    assert "literally 1" in caught.value.advice


def test_the_message_names_the_axis_from_the_end() -> None:
    with pytest.raises(TypeProblem, match="axis -2: 2 against 3"):
        broadcast_shapes((2, 5), (3, 5))


def test_broadcast_types_promote() -> None:
    left, right = TensorType.of(int32, (2, 1)), TensorType.of(float16, (3,))
    assert broadcast_types(left, right) == TensorType.of(float16, (2, 3))
    with pytest.raises(DtypeError):
        broadcast_types(TensorType.of("uint64", ()), TensorType.of("int8", ()))


def test_broadcasting_equal_types_makes_no_new_one() -> None:
    x, y = TensorType.of("float32", ("n", 3)), TensorType.of("float32", ("n", 3))
    assert broadcast_types(x, y) is x and broadcast_types(x, y, x) is x
