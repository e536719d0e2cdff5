"""Calls of public functions that are no ops, each with its value by NumPy; see `test_functions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import asg
from asg.testing.function_contract import function_sample
from asg.testing.sample import Sample

CASES: dict[str, list[Sample]] = {}


def case(
    of: str,
    call: Callable[..., Any],
    operands: tuple[Any, ...],
    oracle: Callable[..., Any],
    *symbolic: Any,
    **facts: Any,
) -> None:
    """Add a call; ``symbolic`` are the shapes of the operands with names for sizes."""
    sample = function_sample(of, call, operands, oracle, symbolic or None, **facts)
    CASES.setdefault(of, []).append(sample)


def drawn(*shape: int) -> Any:
    seed = 7 * len(shape) + sum(shape)
    return np.random.default_rng(seed).normal(size=shape)


def positive(*shape: int) -> Any:
    return np.abs(drawn(*shape)) + 0.2


M, V, BLOCK, SQUARE = drawn(2, 3), drawn(3), drawn(2, 3, 2), drawn(3, 3)
ROWS = ("n", 3)
PLACES = np.array([[0, 2], [1, -1], [0, 2]], np.int32)

# -- parts at computed places -------------------------------------------------------------------


def _block(x: Any, start: Any) -> tuple[slice, ...]:
    """The block of sizes (2, 2) that begins at a start moved inside."""
    begin = [min(max(int(s), 0), n - 2) for s, n in zip(start, x.shape, strict=True)]
    return tuple(slice(b, b + 2) for b in begin)


def _replaced(x: Any, update: Any, start: Any) -> Any:
    result = x.copy()
    result[_block(x, start)] = update
    return result


for start in ([1, 0], [-4, 9]):
    case(
        "dynamic_slice",
        lambda x, s: asg.dynamic_slice(x, s, (2, 2)),
        (drawn(3, 4), np.array(start)),
        lambda x, s: x[_block(x, s)],
        ("n", "m"),
        (2,),
    )
    case(
        "dynamic_update_slice",
        asg.dynamic_update_slice,
        (drawn(3, 4), drawn(2, 2), np.array(start)),
        _replaced,
        ("n", "m"),
        (2, 2),
        (2,),
    )
case(
    "gather_nd",
    asg.gather_nd,
    (drawn(3, 3), PLACES),
    lambda x, i: x[i[:, 0], i[:, 1]],
    ("n", "m"),
    ("k", 2),
)
case(
    "gather_nd",
    asg.gather_nd,
    (BLOCK, PLACES[:, :1] % 2),
    lambda x, i: x[i[:, 0]],
    ("n", 3, "m"),
    ("k", 1),
)
case(
    "embedding",
    asg.embedding,
    (np.array([[1, 0], [-1, 1]]), SQUARE),
    lambda i, w: w[i],
    ("a", 2),
    ("n", "d"),
)
case(
    "embedding",
    lambda i, w: asg.embedding(i, w, 2)[:0],
    (np.array([1, 0]), SQUARE),
    lambda i, w: w[i][:0],
)
case(
    "put_along_axis",
    lambda x, i, v: asg.put_along_axis(x, i, v, 0),
    (M, PLACES[:2, :1] % 2 * 0, V[None]),
    lambda x, i, v: np.stack([v[0], x[1]]),
    label="set",
)


def _put(mode: Callable[..., Any]) -> Callable[..., Any]:
    def value(x: Any, i: Any, v: Any) -> Any:
        result = x.copy()
        for row, column in np.ndindex(i.shape):
            mode(result, (row, i[row, column]), v[row, column])
        return result

    return value


def _last(x: Any, key: Any, value: Any) -> None:
    x[key] = value


for mode, write in (
    ("set", _last),
    ("add", np.add.at),
    ("mul", np.multiply.at),
    ("min", np.minimum.at),
    ("max", np.maximum.at),
):
    along = lambda x, i, v, mode=mode: asg.put_along_axis(x, i, v, 1, mode)  # noqa: E731
    case(
        "put_along_axis",
        along,
        (M, np.array([[0, 0], [2, -1]]), drawn(2, 2)),
        _put(write),
        ("a", "n"),
        ("a", "k"),
        ("a", "k"),
        label=mode,
    )
    whole = lambda x, i, u, mode=mode: asg.scatter(x, i, u, 0, mode)  # noqa: E731
    rows = lambda x, i, u, write=write: _written(write, x, i, u)  # noqa: E731
    case(
        "scatter",
        whole,
        (drawn(3, 2), np.array([2, 0, 2]), drawn(3, 2) + 0.1),
        rows,
        ("n", 2),
        ("k",),
        ("k", 2),
        label=mode,
    )


def _written(write: Callable[..., Any], x: Any, i: Any, u: Any) -> Any:
    result = x.copy()
    for number, place in enumerate(i):
        write(result, place, u[number])
    return result


# -- shapes ------------------------------------------------------------------------------------

case(
    "broadcast_arrays",
    asg.broadcast_arrays,
    (drawn(2, 1), V),
    lambda x, y: tuple(np.broadcast_arrays(x, y)),
    ("n", 1),
    ("m",),
)
case(
    "channel_shuffle",
    lambda x: asg.channel_shuffle(x, 2),
    (drawn(1, 4, 3),),
    lambda x: x[:, [0, 2, 1, 3]],
    ("n", 4, "m"),
)
case(
    "concatenate",
    lambda x, y: asg.concatenate([x, y], axis=-1),
    (M, drawn(2, 1)),
    lambda x, y: np.concatenate([x, y], 1),
    ("n", 3),
    ("n", 1),
)
case("diag", asg.diag, (V,), np.diag)
case("diag", lambda x: asg.diag(x, -1), (SQUARE,), lambda x: np.diag(x, -1))
case("flatten", asg.flatten, (BLOCK,), np.ravel, (2, 3, "n"))
case("flatten", lambda x: asg.flatten(x, 1), (BLOCK,), lambda x: x.reshape(2, 6), ("n", 3, 2))
case("matrix_transpose", asg.matrix_transpose, (BLOCK,), lambda x: x.swapaxes(1, 2), ("n", 3, "m"))
case("meshgrid", asg.meshgrid, (V, drawn(2)), lambda x, y: tuple(np.meshgrid(x, y)), ("n",), ("m",))
case(
    "moveaxis",
    lambda x: asg.moveaxis(x, -1, 0),
    (BLOCK,),
    lambda x: np.moveaxis(x, -1, 0),
    ("n", 3, "m"),
)
case("repeat", lambda x: asg.repeat(x, 2, axis=-1), (M,), lambda x: np.repeat(x, 2, 1), ("n", 3))
case("repeat", lambda x: asg.repeat(x, 3), (M,), lambda x: np.repeat(x, 3), ("n", 3))
case("roll", lambda x: asg.roll(x, 2, axis=1), (M,), lambda x: np.roll(x, 2, 1), ("n", 3))
case("roll", lambda x: asg.roll(x, -1), (M,), lambda x: np.roll(x, -1), ("n", 3))
case(
    "stack",
    lambda x, y: asg.stack([x, y, x], axis=-1),
    (M, M + 1.0),
    lambda x, y: np.stack([x, y, x], -1),
    ("n", 3),
    ("n", 3),
)
case(
    "swapaxes",
    lambda x: asg.swapaxes(x, 0, -1),
    (BLOCK,),
    lambda x: x.swapaxes(0, 2),
    ("n", 3, "m"),
)
case("tile", lambda x: asg.tile(x, (2, 1, 2)), (M,), lambda x: np.tile(x, (2, 1, 2)), ("n", 3))
case("trace", asg.trace, (SQUARE,), lambda x: np.asarray(np.trace(x)), ("n", "n"))
case(
    "trace", lambda x: asg.trace(x, 1, 2, 1), (BLOCK,), lambda x: np.trace(x, 1, 2, 1), ("n", 3, 2)
)
case("transpose", asg.transpose, (BLOCK,), np.transpose, ("n", 3, "m"))
case("tril", lambda x: asg.tril(x, -1), (SQUARE,), lambda x: np.tril(x, -1), ("n", 3))
case("triu", asg.triu, (BLOCK,), np.triu, ("n", 3, "m"))
case(
    "unflatten",
    lambda x: asg.unflatten(x, 1, (3, -1)),
    (drawn(2, 6),),
    lambda x: x.reshape(2, 3, 2),
    ("n", 6),
)
case("unstack", lambda x: asg.unstack(x, -1), (M,), lambda x: tuple(x.T), ("n", 3))
case("full_like", lambda x: x * asg.full_like(x, 2.5), (M,), lambda x: 2.5 * x, ROWS)
case("ones_like", lambda x: x + asg.ones_like(x), (M,), lambda x: x + 1, ROWS)
case("zeros_like", lambda x: x - asg.zeros_like(x), (M,), lambda x: x, ROWS)
case(
    "astype",
    lambda x: asg.astype(asg.astype(x, "float64"), "float64") * 2.0,
    (M,),
    lambda x: x * 2,
    ROWS,
    label="to itself",
)
case("positive", lambda x: asg.positive(x) * x, (M,), lambda x: x * x, ROWS)

# -- sums, products and matrices ----------------------------------------------------------------

case(
    "cumulative_sum",
    lambda x: asg.cumulative_sum(x, axis=1, include_initial=True),
    (M,),
    lambda x: np.concatenate([np.zeros((2, 1)), np.cumsum(x, 1)], 1).astype(x.dtype),
    ("n", 3),
)
case(
    "cumulative_prod",
    lambda x: asg.cumulative_prod(x, axis=0),
    (M,),
    lambda x: np.cumprod(x, 0),
    ("n", 3),
)
case("dot", asg.dot, (M, drawn(3, 2)), np.dot, ("n", "k"), ("k", "m"))
case("outer", asg.outer, (V, drawn(2)), np.outer, ("n",), ("m",))
case(
    "tensordot",
    lambda x, y: asg.tensordot(x, y, axes=([1, 2], [0, 1])),
    (BLOCK, drawn(3, 2, 2)),
    lambda x, y: np.tensordot(x, y, ([1, 2], [0, 1])),
    ("n", 3, 2),
    (3, 2, "m"),
)
case("vdot", asg.vdot, (M, M + 1.0), lambda x, y: np.asarray(np.vdot(x, y)), ROWS, ROWS)
case("vecdot", asg.vecdot, (M, V), lambda x, y: x @ y, ROWS, (3,))
case(
    "vecdot",
    lambda x, y: asg.vecdot(x, y, axis=-2),
    (M, M - 1.0),
    lambda x, y: (x * y).sum(0),
    ROWS,
    ROWS,
)
case(
    "cosine_similarity",
    asg.cosine_similarity,
    (M, M + 1.0),
    lambda x, y: (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1)),
    ROWS,
    ROWS,
)
case(
    "pairwise_distance",
    lambda x, y: asg.pairwise_distance(x, y, eps=0.5),
    (M, M[::-1] + 1.0),
    lambda x, y: np.sqrt(((x - y + 0.5) ** 2).sum(-1)),
    ROWS,
    ROWS,
)
SYMMETRIC = SQUARE + SQUARE.T + np.diag([0.0, 3.0, -4.0])
case(
    "eigvalsh",
    lambda x: asg.eigvalsh((x + x.mT) * 0.5),
    (SYMMETRIC,),
    lambda x: np.linalg.eigvalsh(x),
    (3, 3),
)
case(
    "svdvals",
    asg.svdvals,
    (M,),
    lambda x: np.linalg.svd(x, compute_uv=False),
    (2, 3),
    tolerance=1e-5,
)
case(
    "lstsq",
    asg.lstsq,
    (drawn(4, 2), drawn(4, 1)),
    lambda a, b: np.linalg.lstsq(a, b)[0],
    (4, 2),
    (4, "k"),
    tolerance=1e-5,
)
case("digamma", asg.digamma, (np.array([0.3, 1.0, 2.0, 4.5]),), lambda x: _digamma(x), ("n",))


def _digamma(x: Any) -> Any:
    """By the recurrence up to 20 and the asymptotic series from there."""
    total = np.zeros_like(x)
    for _ in range(20):
        total, x = total - 1 / x, x + 1
    series = 1 / 12 - (1 / 120 - (1 / 252 - 1 / 240 / x**2) / x**2) / x**2
    return total + np.log(x) - 1 / (2 * x) - series / x**2


# -- losses, loops and choices ------------------------------------------------------------------

SIGNS = np.where(M > 0, -1.0, 1.0)
case("l1_loss", asg.l1_loss, (M, M[::-1] + 0.3), lambda x, y: np.abs(x - y).mean(), ROWS, ROWS)
case("mse_loss", asg.mse_loss, (M, M[::-1]), lambda x, y: ((x - y) ** 2).mean(), ROWS, ROWS)
case(
    "squared_hinge_loss",
    asg.squared_hinge_loss,
    (M, SIGNS),
    lambda x, y: (np.maximum(0, 1 - x * y) ** 2).mean(),
    ROWS,
    ROWS,
    differentiate=(0,),
)
case(
    "multilabel_soft_margin_loss",
    asg.multilabel_soft_margin_loss,
    (M, (M > 0) * 1.0),
    lambda x, y: (y * np.log1p(np.exp(-x)) + (1 - y) * np.log1p(np.exp(x))).mean(),
    ROWS,
    ROWS,
    differentiate=(0,),
)
case(
    "triplet_margin_with_distance_loss",
    lambda a, p, n: asg.triplet_margin_with_distance_loss(
        a, p, n, distance_function=lambda u, v: ((u - v) ** 2).sum(-1), margin=9.0
    ),
    (M, M + 0.4, M[::-1]),
    lambda a, p, n: np.maximum(((a - p) ** 2).sum(-1) - ((a - n) ** 2).sum(-1) + 9.0, 0).mean(),
    ROWS,
    ROWS,
    ROWS,
)
case("rrelu", lambda x: asg.rrelu(x, 0.2, 0.4), (M,), lambda x: np.where(x > 0, x, 0.3 * x), ROWS)
case(
    "cond",
    lambda x: asg.cond(x[0, 0] > 0, lambda: x * x, lambda: -x),
    (np.abs(M),),
    lambda x: x * x,
    (2, 3),
)
case(
    "fori_loop",
    lambda x: asg.fori_loop(1, 4, lambda i, c: c * asg.sin(c) + x, x),
    (V,),
    lambda x: _looped(x),
    ("n",),
)
case(
    "map",
    lambda x: asg.map(lambda row: row * row.sum(), x),
    (M,),
    lambda x: x * x.sum(1, keepdims=True),
    ROWS,
)


def _looped(x: Any) -> Any:
    carry = x
    for _ in range(3):
        carry = carry * np.sin(carry) + x
    return carry


WITHOUT_OPERANDS: dict[str, tuple[Callable[[], Any], Any]] = {
    "arange": (lambda: asg.arange(7, -2, -3), np.arange(7, -2, -3, dtype=np.int32)),
    "eye": (lambda: asg.eye(3, 4, k=-1, dtype="int8"), np.eye(3, 4, -1, np.int8)),
    "linspace": (
        lambda: asg.linspace(-1.5, 2.0, 7, "float64"), np.linspace(-1.5, 2.0, 7),
    ),
    "ones": (lambda: asg.ones((2, 3), "int8"), np.ones((2, 3), np.int8)),
    "zeros": (lambda: asg.zeros((2, 0)), np.zeros((2, 0), np.float32)),
    "random_key": (lambda: asg.random_key(2**32 + 5), np.array([1, 5], np.uint32)),
}
