"""More operations of random graphs: the wider library, and loops and branches."""

from __future__ import annotations

from collections.abc import Callable
from math import cosh, exp2, prod
from typing import Any

from asg import ops
from asg.testing.draw import LIMIT, Draw, maker
from asg.testing.random_ops import pair, positive
from asg.testing.recipe import Code

_MOST_ELEMENTS = 60

# function, largest magnitude of its operand, magnitude of its result
_SMOOTH: list[tuple[str, float, Callable[[float], float]]] = [
    ("selu", LIMIT, lambda b: 1.8 * b + 0.1),
    ("celu", LIMIT, lambda b: b),
    ("mish", LIMIT, lambda b: b),
    ("softsign", LIMIT, lambda b: 1.0),
    ("tanhshrink", LIMIT, lambda b: b),
    ("log_sigmoid", LIMIT, lambda b: b + 0.7),
    ("hardtanh", LIMIT, lambda b: 1.0),
    ("relu6", 8.0, lambda b: 6.0),
    ("hardsigmoid", 8.0, lambda b: 1.0),
    ("hardswish", LIMIT, lambda b: b),
    ("softshrink", LIMIT, lambda b: b),
    ("hardshrink", LIMIT, lambda b: b),
    ("atan", 8.0, lambda b: 1.6),
    ("asinh", 8.0, lambda b: b),
    ("sinh", 1.5, cosh),
    ("cosh", 1.5, cosh),
    ("tan", 1.2, lambda b: 2.6),
    ("exp2", 2.0, exp2),
    ("erfc", 3.0, lambda b: 2.0),
]
_OF_POSITIVE = ["log10", "cbrt", "lgamma", "digamma"]
_OF_LESS_THAN_ONE = ["asin", "acos", "atanh", "erfinv"]


@maker(6)
def unary_of_the_library(draw: Draw) -> None:
    """A function of one number, with or without a domain."""
    kind = draw.random.choice(["smooth", "smooth", "smooth", "positive", "inside"])
    if kind == "smooth":
        function, limit, bound = draw.random.choice(_SMOOTH)
        x = draw.operand(limit=limit)
        if x is not None:
            draw.call(function, x, bound=bound(draw.bound(x)))
        return
    x = draw.operand(limit=2.0)
    if x is None:
        return
    if kind == "positive":
        draw.call(draw.random.choice(_OF_POSITIVE), positive(draw, x), bound=5.0)
    else:
        inside = draw.call("multiply", draw.call("tanh", x, bound=1.0), 0.8, bound=0.8)
        draw.call(draw.random.choice(_OF_LESS_THAN_ONE), inside, bound=2.5)


@maker(3)
def binary_of_the_library(draw: Draw) -> None:
    """A function of two numbers, away from where it is not smooth."""
    found = pair(draw, 2.0)
    if found is None:
        return
    x, y = found
    function = draw.random.choice(["hypot", "atan2", "xlogy", "lerp"])
    if function == "lerp":
        draw.call("lerp", x, y, 0.3, bound=3.0)
    else:
        draw.call(function, x, positive(draw, y), bound=8.0)


@maker(5)
def along(draw: Draw) -> None:
    """Running sums and extremes, differences, sorted values."""
    x = draw.operand(lambda t: t.ndim >= 1, limit=1.2)
    if x is None:
        return
    axis = draw.axis(x)
    size = draw.shape(x)[axis]
    function = draw.random.choice(
        ["cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "diff", "sort", "softmin"]
    )
    options: dict[str, Any] = {"axis": axis}
    if function not in ("diff", "sort", "softmin") and draw.chance(0.5):
        options["reverse"] = True
    if function in ("cumsum", "cumprod") and draw.chance(0.4):
        options["exclusive"] = True
    if function == "diff" and size < 2:
        return
    if function == "sort" and draw.chance(0.5):
        options["descending"] = True
    draw.call(function, x, **options, bound=1.2 * size + 2.0)


@maker(2)
def recurrence(draw: Draw) -> None:
    """``y[t] = a[t] y[t - 1] + b[t]``."""
    x = draw.operand(lambda t: t.ndim >= 1, limit=2.0)
    if x is None:
        return
    shape = draw.tensor(x).shape
    y = draw.operand(lambda t: t.shape == shape, limit=2.0)
    assert y is not None
    factor = draw.call("tanh", y, bound=1.0)
    options = {"axis": draw.axis(x), "reverse": draw.chance(0.5)}
    draw.call("linear_recurrence", factor, x, **options, bound=8.0)


@maker(2)
def norm(draw: Draw) -> None:
    """Norms of vectors that are not zero, and vectors of norm one."""
    x = draw.operand(lambda t: t.ndim >= 1, limit=1.5)
    if x is None:
        return
    away = positive(draw, x)
    axis = draw.axis(x)
    if draw.chance(0.5):
        draw.call("l2_normalize", away, axis=axis, bound=1.0)
    else:
        order = draw.random.choice([1.0, 2.0, 3.0, float("inf")])
        draw.call("vector_norm", away, axis=axis, ord=order, bound=3.0 * draw.shape(x)[axis])


@maker(2)
def gated(draw: Draw) -> None:
    """One half of a value gates the other."""
    x = draw.operand(lambda t: any(isinstance(s, int) and s % 2 == 0 for s in t.shape), limit=2.0)
    if x is None:
        return
    shape = draw.tensor(x).shape
    axes = [a for a, size in enumerate(shape) if isinstance(size, int) and size % 2 == 0]
    function = draw.random.choice(["glu", "swiglu", "geglu"])
    draw.call(function, x, axis=draw.random.choice(axes), bound=4.0)


@maker(3)
def equations(draw: Draw) -> None:
    """Inverses, solutions and determinants of matrices that are safely positive."""
    x = draw.operand(lambda t: t.ndim >= 2 and isinstance(t.shape[-2], int), limit=1.0)
    if x is None or draw.shape(x)[-2] > 4:
        return
    size = draw.shape(x)[-2]
    transposed = draw.call("matrix_transpose", x, bound=1.0)
    square = draw.call("matmul", x, transposed, bound=float(draw.shape(x)[-1]))
    unit = [[2.0 if i == j else 0.0 for j in range(size)] for i in range(size)]
    diagonal = draw.call("constant", unit, draw.dtype, bound=2.0)
    safe = draw.call("add", square, diagonal, bound=draw.bound(square) + 2.0)
    kind = draw.random.choice(["inv", "cholesky", "solve", "slogdet", "matrix_power"])
    if kind == "slogdet":
        draw.several(2, "slogdet", safe, bound=10.0)
    elif kind == "matrix_power":
        draw.call("matrix_power", draw.tame(safe, 1.5), draw.random.randint(2, 3), bound=60.0)
    elif kind == "solve":
        draw.call("solve", safe, x, bound=2.0)
    else:
        draw.call(kind, safe, bound=draw.bound(safe))


@maker(3)
def windows(draw: Draw) -> None:
    """Convolutions and pooling over the last axis."""
    x = draw.operand(lambda t: t.ndim == 3 and isinstance(t.shape[1], int), limit=1.5)
    if x is None or draw.elements(x) > _MOST_ELEMENTS:
        return
    kind = draw.random.choice(["conv1d", "conv1d", "avg_pool1d", "max_pool1d"])
    if kind == "conv1d":
        channels = draw.shape(x)[1]
        weight = draw.float_input([draw.random.randint(1, 3), channels, 2])
        options = {"padding": draw.random.choice([1, 2]), "stride": draw.random.choice([1, 2])}
        draw.call("conv1d", x, weight, **options, bound=6.0 * channels)
    elif draw.shape(x)[2] >= 2:
        draw.call(kind, x, 2, stride=draw.random.choice([1, 2]), bound=draw.bound(x))


@maker(2)
def attention(draw: Draw) -> None:
    """Attention of values among themselves."""
    x = draw.operand(lambda t: t.ndim >= 3, limit=2.0)
    if x is None or draw.elements(x) > _MOST_ELEMENTS:
        return
    shape = draw.tensor(x).shape
    y = draw.operand(lambda t: t.shape == shape, limit=2.0)
    function = "scaled_dot_product_attention"
    draw.call(function, x, y, x, is_causal=draw.chance(0.5), bound=2.0)


# -- loops and branches ----------------------------------------------------------------------------

_STEPS: list[Code] = [
    Code("lambda c, x: (asg.tanh(c + x), c * x)", lambda c, x: (ops.tanh(c + x), c * x)),
    Code("lambda c, x: (c * 0.5 + x, asg.sin(c))", lambda c, x: (c * 0.5 + x, ops.sin(c))),
    Code("lambda c, x: (asg.maximum(c, x), c - x)", lambda c, x: (ops.maximum(c, x), c - x)),
]
_FUNCTIONS: list[Code] = [
    Code("lambda x: asg.sin(x) * x", lambda x: ops.sin(x) * x),
    Code("lambda x: asg.tanh(x + 0.5)", lambda x: ops.tanh(x + 0.5)),
    Code("lambda x: x * 0.75", lambda x: x * 0.75),
    Code("lambda x: asg.softmax(x) if x.ndim else asg.exp(-x)",
         lambda x: ops.softmax(x) if x.ndim else ops.exp(-x)),
]  # fmt: skip
_TURNS: list[Code] = [
    Code("lambda i, c: asg.tanh(c * 1.25)", lambda i, c: ops.tanh(c * 1.25)),
    Code("lambda i, c: c + i.astype(c.dtype) * 0.1", lambda i, c: c + i.astype(c.dtype) * 0.1),
]


@maker(3)
def loop(draw: Draw) -> None:
    """A scan along the first axis, forwards or backwards."""
    x = draw.operand(lambda t: t.ndim >= 1, limit=1.5)
    if x is None:
        return
    rest = draw.tensor(x).shape[1:]
    start = draw.operand(lambda t: t.shape == rest, limit=1.5)
    if start is None:
        start = draw.call("full", tuple(draw.sizes_of(x)[1:]), 0.25, draw.dtype, bound=0.3)
    step = draw.random.choice(_STEPS)
    options = {"reverse": draw.chance(0.4)}
    draw.several(2, "scan", step, start, x, **options, bound=4.0)


@maker(2)
def mapped(draw: Draw) -> None:
    """A function of every row, or the same function so many times."""
    x = draw.operand(lambda t: t.ndim >= 1, limit=1.5)
    if x is None:
        return
    if draw.chance(0.5):
        draw.call("map", draw.random.choice(_FUNCTIONS), x, bound=2.0)
    else:
        turns = draw.random.randint(1, 3)
        draw.call("fori_loop", 0, turns, draw.random.choice(_TURNS), x, bound=2.5)


@maker(3)
def branch(draw: Draw) -> None:
    """One of two functions, chosen by a number."""
    x = draw.operand(limit=1.5)
    chooser = draw.operand(lambda t: t.ndim == 0)
    if x is None:
        return
    if chooser is None:
        chooser = draw.call("sum", draw.tame(x), bound=prod(draw.shape(x)) * 1.5)
    test = draw.call("greater", chooser, 0.1373, bound=1.0)
    first, second = draw.random.sample(_FUNCTIONS, 2)
    draw.call("cond", test, first, second, x, bound=4.5)
