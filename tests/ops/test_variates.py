"""Further distributions: against SciPy's, between backends, their limits, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, NotDifferentiable, OperandError, ShapeError

KEY = asg.random_key(2025)
MANY = 20000
NEGATIVE_INFINITY = -np.inf


def drawn(tensor: asg.Tensor, backend: str = "numpy") -> Any:
    return np.asarray(asg.run(tensor, {}, backend=backend))


DRAWS: dict[str, tuple[Any, str, tuple[float, ...]]] = {
    "exponential": (lambda t: asg.exponential(KEY, (MANY,), t), "expon", ()),
    "laplace": (lambda t: asg.laplace(KEY, (MANY,), t), "laplace", ()),
    "gumbel": (lambda t: asg.gumbel(KEY, (MANY,), t), "gumbel_r", ()),
    "truncated": (
        lambda t: asg.truncated_normal(KEY, (MANY,), -1.0, 2.0, dtype=t), "truncnorm", (-1.0, 2.0)
    ),
    "tail": (
        lambda t: asg.truncated_normal(KEY, (MANY,), 2.5, np.inf, dtype=t),
        "truncnorm", (2.5, np.inf),
    ),
    "gamma": (lambda t: asg.gamma(KEY, asg.constant(2.5, t), (MANY,)), "gamma", (2.5,)),
    "gamma below 1": (lambda t: asg.gamma(KEY, asg.constant(0.3, t), (MANY,)), "gamma", (0.3,)),
    "large gamma": (lambda t: asg.gamma(KEY, asg.constant(1e5, t), (MANY,)), "gamma", (1e5,)),
    "beta": (
        lambda t: asg.beta(KEY, asg.constant(0.5, t), asg.constant(2.0, t), (MANY,)),
        "beta", (0.5, 2.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_distributions_are_those_of_scipy(name: str, dtype: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    draw, law, shapes = DRAWS[name]
    found = drawn(draw(dtype))
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert stats.kstest(found.astype(np.float64), law, args=shapes).pvalue > 1e-3
    expected = getattr(stats, law)(*shapes)
    off = 4.0 * expected.std() / MANY**0.5
    assert abs(found.mean(dtype=np.float64) - expected.mean()) < off


def test_backends_draw_the_same_numbers() -> None:
    chosen = {name: draw("float32")[:3000] for name, (draw, _, _) in DRAWS.items()}
    chosen["small beta"] = asg.beta(KEY, 0.01, 0.02, (3000,))
    numpy, jax = (asg.run(chosen, {}, backend=each) for each in ("numpy", "jax"))
    for name in chosen:
        np.testing.assert_allclose(numpy[name], jax[name], rtol=2e-5, atol=2e-6, err_msg=name)


def test_backends_permute_alike() -> None:
    order, rows = asg.permutation(KEY, 3001), asg.constant(np.arange(12.0).reshape(3, 4))
    columns = asg.permutation(KEY, rows, axis=-1)
    first, second = (asg.run([order, columns], {}, backend=each) for each in ("numpy", "jax"))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert sorted(first[0].tolist()) == list(range(3001))
    assert sorted(first[1][0].tolist()) == [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_array_equal(first[1][1], first[1][0] + 4)


def test_every_order_comes_equally_often() -> None:
    stats = pytest.importorskip("scipy.stats")
    keys = asg.split_key(KEY, 3000)
    orders = drawn(asg.map(lambda key: asg.permutation(key, 3), keys))
    counts = np.unique(orders @ np.array([9, 3, 1]), return_counts=True)[1]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_the_gradient_goes_back_through_a_permutation() -> None:
    x, weights = asg.input("x", ("n",)), asg.input("weights", ("n",))
    slope = asg.grad((asg.permutation(KEY, x) * weights).sum(), x)
    order = drawn(asg.permutation(KEY, 5))
    given = np.arange(5, dtype=np.float32)
    found = asg.run(slope, {x: given, weights: given})
    assert found[order].tolist() == given.tolist()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_classes_come_with_their_probabilities(backend: str) -> None:
    chances = np.array([0.05, 0.0, 0.25, 0.7])
    with np.errstate(divide="ignore"):
        logits = asg.constant(np.log(chances).astype(np.float32) + 3.0)
    found = drawn(asg.categorical(KEY, logits, (MANY,)), backend)
    frequency = np.bincount(found, minlength=4) / MANY
    assert frequency[1] == 0.0
    np.testing.assert_allclose(frequency, chances, atol=0.02)


def test_categorical_has_an_axis_and_a_shape() -> None:
    logits = asg.constant(np.where(np.eye(3, 4), 0.0, NEGATIVE_INFINITY).astype(np.float32))
    assert drawn(asg.categorical(KEY, logits)).tolist() == [0, 1, 2]
    assert drawn(asg.categorical(KEY, logits.T, axis=0)).tolist() == [0, 1, 2]
    assert drawn(asg.categorical(KEY, logits, (2, 3))).tolist() == [[0, 1, 2]] * 2


def test_truncated_numbers_stay_inside_and_scale() -> None:
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        found = drawn(asg.truncated_normal(KEY, (5000,), -0.5, 0.25, dtype=dtype))
        assert found.min() >= -0.5
        assert found.max() <= 0.25
    plain = drawn(asg.truncated_normal(KEY, (50,), dtype="float64"))
    scaled = drawn(asg.truncated_normal(KEY, (50,), mean=3.0, std=0.5, dtype="float64"))
    np.testing.assert_allclose(scaled, 3.0 + 0.5 * plain, rtol=1e-15)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_gamma_ends_for_any_shape_parameter(backend: str) -> None:
    alpha = asg.constant(np.array([0.0, -1.0, np.nan, np.inf, 1e30, 1e-30, 1.0], np.float32))
    found = drawn(asg.gamma(KEY, alpha), backend)
    assert np.isnan(found[:4]).all()
    assert np.isfinite(found[4:]).all()
    mixed = drawn(asg.beta(KEY, alpha[4:], alpha[6]), backend)
    assert np.isfinite(mixed).all()


def test_gamma_has_no_gradient_and_says_so() -> None:
    alpha = asg.input("alpha", (3,))
    for loss in (asg.gamma(KEY, alpha).sum() + alpha.sum(), asg.beta(KEY, alpha, alpha).sum()):
        with pytest.raises(NotDifferentiable, match="has no gradient by"):
            asg.grad(loss, alpha)


def test_wrong_arguments_are_refused() -> None:
    numbers, x = asg.input("n", (3,), "int32"), asg.input("x", (3,))
    for draw in (asg.exponential, asg.laplace, asg.gumbel, asg.truncated_normal):
        with pytest.raises(DtypeError, match="choose a floating dtype"):
            draw(KEY, (3,), dtype="int32")
        with pytest.raises(DtypeError, match="the key is f32"):
            draw(x, (3,))
    for low, high in ((1.0, 1.0), (2.0, -2.0), (5.0, 6.0), (float("nan"), 1.0)):
        with pytest.raises(OperandError, match="too little to draw in float32"):
            asg.truncated_normal(KEY, (3,), low, high)
    with pytest.raises(OperandError, match="lower is"):
        asg.truncated_normal(KEY, (3,), x)  # type: ignore[arg-type]
    refusals: list[Callable[[], object]] = [
        lambda: asg.categorical(KEY, numbers),
        lambda: asg.gamma(KEY, numbers),
        lambda: asg.beta(KEY, x, numbers),
        lambda: asg.permutation(x, 3),
    ]
    for refused in refusals:
        with pytest.raises(DtypeError):
            refused()
    misfits: list[Callable[[], object]] = [
        lambda: asg.categorical(KEY, asg.constant(1.0)),
        lambda: asg.categorical(KEY, asg.input("empty", (3, 0))),
        lambda: asg.categorical(KEY, x, axis=1),
        lambda: asg.categorical(KEY, asg.input("logits", (4, 3)), (5,)),
        lambda: asg.gamma(KEY, x, (4,)),
        lambda: asg.permutation(KEY, x, axis=1),
        lambda: asg.permutation(KEY, -1),
    ]
    for misfit in misfits:
        with pytest.raises(ShapeError):
            misfit()
