"""The operations a random graph is drawn from, and how their operands are prepared.

Each function adds a few steps to a `Draw`, or none when no value suits it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log, log2, prod
from typing import Any

from asg.core.dim import known_equal
from asg.testing.draw import LIMIT, Draw, maker
from asg.testing.recipe import Name, SizeOf

# -- element by element --------------------------------------------------------------------------

# function, largest magnitude of its operand, magnitude of its result
_UNARY: list[tuple[str, float, Callable[[float], float]]] = [
    ("tanh", 8.0, lambda b: min(b, 1.0)),
    ("sin", 8.0, lambda b: min(b, 1.0)),
    ("cos", 8.0, lambda b: 1.0),
    ("sigmoid", 8.0, lambda b: 1.0),
    ("erf", 4.0, lambda b: 1.0),
    ("exp", 1.5, exp),
    ("expm1", 1.5, exp),
    ("square", 2.0, lambda b: b * b),
    ("negative", LIMIT, lambda b: b),
    ("abs", LIMIT, lambda b: b),
    ("relu", LIMIT, lambda b: b),
    ("silu", LIMIT, lambda b: b),
    ("gelu", LIMIT, lambda b: b),
    ("elu", LIMIT, lambda b: b),
    ("leaky_relu", LIMIT, lambda b: b),
    ("softplus", LIMIT, lambda b: b + 0.7),
    ("stop_gradient", LIMIT, lambda b: b),
]
# functions of numbers above a half
_POSITIVE: list[tuple[str, Callable[[float], float]]] = [
    ("log", lambda b: log(b) + 0.7),
    ("log2", lambda b: log2(b) + 1.0),
    ("log1p", lambda b: log(b) + 1.0),
    ("sqrt", lambda b: b),
    ("rsqrt", lambda b: 1.5),
    ("reciprocal", lambda b: 2.0),
]


@maker(10)
def unary(draw: Draw) -> None:
    """A function of one number."""
    function, limit, bound = draw.random.choice(_UNARY)
    x = draw.operand(limit=limit)
    if x is not None:
        options = {"approximate": "tanh"} if function == "gelu" and draw.chance(0.5) else {}
        draw.call(function, x, bound=bound(draw.bound(x)), **options)


def positive(draw: Draw, x: Name) -> Name:
    """``x * x + 0.5``."""
    squared = draw.call("multiply", x, x, bound=draw.bound(x) ** 2)
    return draw.call("add", squared, 0.5, bound=draw.bound(squared) + 0.5)


@maker(3)
def unary_of_positive(draw: Draw) -> None:
    """A function with a domain."""
    function, bound = draw.random.choice(_POSITIVE)
    x = draw.operand(limit=2.0)
    if x is not None:
        above = positive(draw, x)
        draw.call(function, above, bound=max(1.0, bound(draw.bound(above))))


def pair(draw: Draw, limit: float = LIMIT) -> tuple[Name, Name] | None:
    """Two values that broadcast, in either order."""
    x = draw.operand(limit=limit)
    y = None if x is None else draw.partner(x)
    if x is None or y is None:
        return None
    y = draw.tame(y, limit)
    return (x, y) if draw.chance(0.5) else (y, x)


@maker(12)
def arithmetic(draw: Draw) -> None:
    """Sums, products and extremes of two values."""
    found = pair(draw)
    if found is None:
        return
    function = draw.random.choice(
        ["add", "add", "subtract", "subtract", "multiply", "multiply", "maximum", "minimum"]
    )
    a, b = (draw.bound(x) for x in found)
    draw.call(function, *found, bound=a * b if function == "multiply" else a + b)


@maker(3)
def quotient_or_power(draw: Draw) -> None:
    """Quotients, powers and remainders, away from where they jump or explode."""
    found = pair(draw, 2.0)
    if found is None:
        return
    x, y = found
    kind = draw.random.choice(["divide", "pow", "logaddexp", "remainder", "floor_divide"])
    if kind == "divide":
        draw.call("divide", x, positive(draw, y), bound=2.0 * draw.bound(x))
    elif kind == "pow":
        base = positive(draw, draw.tame(x, 1.5))
        draw.call("pow", base, draw.tame(y, 1.5), bound=5.0)
    elif kind == "logaddexp":
        draw.call("logaddexp", x, y, bound=draw.bound(x) + draw.bound(y) + 0.7)
    else:
        draw.call(kind, draw.call("add", x, 0.137, bound=draw.bound(x)), 0.75, bound=4.0)


@maker(6)
def with_number(draw: Draw) -> None:
    """A value with a number, in either order; numbers that rules look for, too."""
    x = draw.operand()
    if x is None:
        return
    function = draw.random.choice(["add", "subtract", "multiply", "divide", "maximum", "pow"])
    if function == "pow":
        exponent = draw.random.choice([1, 2, 3, 2.0, 1.0])
        small = draw.tame(x, 1.5)
        draw.call("pow", small, exponent, bound=max(1.5, draw.bound(small) ** 3))
        return
    number = draw.random.choice([0.0, 1.0, -1.0, 0.5, draw.number()])
    if function == "divide" or draw.chance(0.5):
        number = number or 1.0
        bound = draw.bound(x) / min(1.0, abs(number)) if function == "divide" else 8.0
        draw.call(function, x, number, bound=max(bound, draw.bound(x) * max(1.0, abs(number))))
    else:
        draw.call(function, number, x, bound=draw.bound(x) * 2.0 + 2.0)


@maker(3)
def clipped(draw: Draw) -> None:
    """A value between two others."""
    x = draw.operand()
    if x is not None:
        low = draw.random.choice([None, -0.8])
        high = draw.random.choice([0.7, 1.3] if low is None else [None, 0.7, 1.3])
        draw.call("clip", x, low, high, bound=draw.bound(x) + 1.3)


@maker(3)
def jump(draw: Draw) -> None:
    """What is constant between jumps."""
    x = draw.operand()
    if x is not None:
        shifted = draw.call("add", x, 0.1371, bound=draw.bound(x) + 0.2)
        function = draw.random.choice(["floor", "ceil", "round", "trunc", "sign"])
        draw.call(function, shifted, bound=draw.bound(x) + 1.0)


# -- truth ---------------------------------------------------------------------------------------


def comparison(draw: Draw, x: Name) -> Name:
    """A comparison of x with another value, which is shifted: equal values do not meet."""
    y = draw.partner(x) if draw.chance(0.5) else None
    if y is not None and draw.elements(x, y) > draw.elements(x):
        y = None  # it would stretch x
    function = draw.random.choice(["less", "less_equal", "greater", "greater_equal"])
    right = 0.1373 if y is None else draw.call("add", y, 0.0173, bound=draw.bound(y) + 0.1)
    return draw.call(function, x, right, bound=1.0)


def condition(draw: Draw, x: Name) -> Name:
    """A comparison, or two combined."""
    first = comparison(draw, x)
    if draw.chance(0.3):
        return draw.call("logical_not", first, bound=1.0)
    if draw.chance(0.4):
        function = draw.random.choice(["logical_and", "logical_or", "logical_xor"])
        return draw.call(function, first, comparison(draw, x), bound=1.0)
    return first


@maker(6)
def choice(draw: Draw) -> None:
    """``where`` of a comparison."""
    found = pair(draw)
    if found is None:
        return
    x, y = found
    test = condition(draw, x)
    other: Any = y if draw.chance(0.7) else draw.number()
    branches = [x, other] if draw.chance(0.5) else [other, x]
    draw.call("where", test, *branches, bound=draw.bound(x) + draw.bound(y))


@maker(2)
def truth_as_number(draw: Draw) -> None:
    """A truth, possibly reduced, as a number."""
    x = draw.operand()
    if x is None:
        return
    test = condition(draw, x)
    if draw.chance(0.5):
        function = draw.random.choice(["all", "any"])
        test = draw.call(function, test, axis=draw.axes(test), keepdims=draw.chance(0.5))
    draw.call("astype", test, draw.dtype, bound=1.0)


# -- reductions ------------------------------------------------------------------------------------


@maker(10)
def reduction(draw: Draw) -> None:
    """Over any axes; several or none of them, too."""
    function = draw.random.choice(["sum", "sum", "mean", "max", "min", "var", "logsumexp", "prod"])
    x = draw.operand(limit=1.5 if function in ("prod", "var") else LIMIT)
    if x is None:
        return
    axes = draw.axes(x)
    shape = draw.shape(x)
    count = prod(shape if axes is None else [shape[axis] for axis in axes])
    b = draw.bound(x)
    bound = {"sum": b * count, "var": b * b, "logsumexp": b + log(count), "prod": b**count}
    if function == "prod" and bound["prod"] > 50.0:
        return
    options: dict[str, Any] = {"correction": 0.5} if function == "var" and draw.chance(0.3) else {}
    keepdims = draw.chance(0.4)
    draw.call(
        function, x, axis=axes, **options, keepdims=keepdims, bound=max(1.0, bound.get(function, b))
    )


@maker(6)
def same_operand_twice(draw: Draw) -> None:
    """One function of one value with two attributes: merging must not take them for equal."""
    x = draw.operand(lambda t: t.ndim >= 2)
    if x is None:
        return
    function = draw.random.choice(["flip", "sum", "max", "softmax", "log_softmax"])
    square = known_equal(draw.tensor(x).shape[0], draw.tensor(x).shape[1]) is True
    axes = draw.random.sample(range(2), 2)
    options = {} if function in ("flip", "softmax", "log_softmax") else {"keepdims": not square}
    bound = draw.bound(x) * (max(draw.shape(x)) if function == "sum" else 1.0) + 3.0
    first, second = (draw.call(function, x, axis=a, **options, bound=bound) for a in axes)
    draw.call("subtract", first, second, bound=2.0 * bound)


@maker(3)
def along_axis(draw: Draw) -> None:
    """Softmax and its logarithm."""
    x = draw.operand(lambda t: t.ndim >= 1)
    if x is not None:
        function = draw.random.choice(["softmax", "log_softmax"])
        bound = 1.0 if function == "softmax" else 2.0 * draw.bound(x) + 2.0
        draw.call(function, x, axis=draw.axis(x), bound=bound)


@maker(3)
def normalisation(draw: Draw) -> None:
    """Layer and root-mean-square normalisation, with and without parameters."""
    x = draw.operand(lambda t: t.ndim >= 1)
    if x is None:
        return
    first = draw.axis(x) if draw.chance(0.3) else draw.tensor(x).ndim - 1
    trailing = draw.sizes_of(x)[first:]
    function = draw.random.choice(["layer_norm", "rms_norm"])
    count = draw.random.randint(0, 2 if function == "layer_norm" else 1)
    parameters = [draw.float_input(trailing) for _ in range(count)]
    bound = 2.0 * draw.bound(x) / 0.7 + 2.0
    draw.call(function, x, tuple(trailing), *parameters, eps=0.5, bound=bound)


# -- losses ----------------------------------------------------------------------------------------


@maker(3)
def pair_loss(draw: Draw) -> None:
    """A loss of two values of one shape."""
    x = draw.operand(limit=2.0)
    if x is None:
        return
    shape = draw.tensor(x).shape
    y = draw.operand(lambda t: t.shape == shape, limit=2.0)
    assert y is not None
    function = draw.random.choice(
        ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy_with_logits"]
    )
    reduction = draw.random.choice(["none", "mean", "sum"])
    target = (
        draw.call("sigmoid", y, bound=1.0) if function == "binary_cross_entropy_with_logits" else y
    )
    bound = 16.0 * (prod(draw.shape(x)) if reduction == "sum" else 1)
    draw.call(function, x, target, reduction=reduction, bound=bound)


@maker(3)
def class_loss(draw: Draw) -> None:
    """Cross entropy with class indices or with weights."""
    x = draw.operand(lambda t: t.ndim >= 2)
    if x is None:
        return
    sizes, shape = draw.sizes_of(x), draw.shape(x)
    reduction = draw.random.choice(["none", "mean", "sum"])
    smoothing = draw.random.choice([0.0, 0.1])
    bound = (2.0 * draw.bound(x) + 2.0) * (prod(shape) if reduction == "sum" else 1)
    if draw.chance(0.3):
        target = draw.call("softmax", x, axis=1, bound=1.0)
    elif draw.chance(0.5):
        target = places_of(draw, x, 1)
    else:
        target = draw.int_input([sizes[0], *sizes[2:]], 0, shape[1])
    draw.call(
        "cross_entropy", x, target, axis=1, label_smoothing=smoothing, reduction=reduction,
        bound=bound,
    )  # fmt: skip


# -- products --------------------------------------------------------------------------------------


@maker(5)
def matrix_product(draw: Draw) -> None:
    """With a new factor on either side, or with a value that happens to fit."""
    x = draw.operand(lambda t: t.ndim >= 1, limit=2.0)
    if x is None:
        return
    inner = SizeOf(x.text, draw.tensor(x).ndim - 1)
    size = draw.tensor(x).shape[-1]
    y = draw.operand(lambda t: 1 <= t.ndim <= 2 and t.shape[0] == size, limit=2.0)
    if y is None or draw.chance(0.4):
        y = draw.float_input(
            [inner, *([draw.random.choice(draw.sizes)] if draw.chance(0.8) else [])]
        )
    if draw.chance(0.3) and draw.tensor(y).ndim == 2 and draw.tensor(x).ndim >= 2:
        x, y = (
            draw.call("matrix_transpose", y, bound=2.0),
            draw.call("matrix_transpose", x, bound=2.0),
        )
    draw.call("matmul", x, y, bound=4.5 * draw.shape(x)[-1])


@maker(3)
def sum_of_products(draw: Draw) -> None:
    """An einsum whose labels follow equal sizes; sums, permutes and repeats axes."""
    x = draw.operand(limit=2.0)
    y = draw.operand(limit=2.0)
    if x is None or y is None:
        return
    labels = iter("abcdefgh")
    term = [next(labels) for _ in draw.tensor(x).shape]
    free = list(zip(draw.tensor(x).shape, term, strict=True))
    other = []
    for size in draw.tensor(y).shape:
        shared = next((pair for pair in free if pair[0] == size), None)
        if shared is not None and draw.chance(0.7):
            free.remove(shared)
            other.append(shared[1])
        else:
            other.append(next(labels))
    kept = [label for label in sorted({*term, *other}) if draw.chance(0.6)]
    draw.random.shuffle(kept)
    numbers = dict(zip([*term, *other], draw.shape(x) + draw.shape(y), strict=True))
    if prod(numbers.values()) > 300:
        return
    summed = prod(number for label, number in numbers.items() if label not in kept)
    spec = f"{''.join(term)},{''.join(other)}->{''.join(kept)}"
    draw.call("einsum", spec, x, y, bound=4.5 * summed)


# -- places ----------------------------------------------------------------------------------------


def places_of(draw: Draw, x: Name, axis: int) -> Name:
    """Indices of the largest or smallest elements; ties are shifted apart."""
    sizes, ndim = draw.sizes_of(x), draw.tensor(x).ndim
    ramp = draw.call("iota", tuple(sizes), axis=axis, dtype=draw.dtype, bound=8.0)
    tilted = draw.call("add", x, draw.call("multiply", ramp, 0.0137), bound=draw.bound(x) + 1.0)
    assert ndim >= 1
    return draw.call(draw.random.choice(["argmax", "argmin"]), tilted, axis=axis, bound=8.0)


def indices(draw: Draw, x: Name, axis: int) -> Name:
    """Indices into an axis, of one or two axes, from both ends; repeated ones are likely."""
    size = draw.shape(x)[axis]
    shape = [draw.random.randint(1, 3) for _ in range(draw.random.choice([0, 1, 1, 2]))]
    return draw.int_input(shape, -size, size)


@maker(4)
def take_and_add(draw: Draw) -> None:
    """Slices that indices name, and perhaps the same slices added to another value."""
    x = draw.operand(lambda t: t.ndim >= 1)
    if x is None:
        return
    axis, shape = draw.axis(x), draw.tensor(x).shape
    where = indices(draw, x, axis)
    taken = draw.call("take", x, where, axis=axis, bound=draw.bound(x))
    y = draw.operand(lambda t: t.shape == shape)
    if y is not None and draw.chance(0.6):
        draw.call("scatter_add", y, where, taken, axis=axis, bound=10.0 * draw.bound(x))


@maker(3)
def take_along(draw: Draw) -> None:
    """Elements along an axis, and perhaps added at the same places of another value."""
    x = draw.operand(lambda t: t.ndim >= 1)
    if x is None:
        return
    axis, shape, sizes = draw.axis(x), draw.tensor(x).shape, draw.sizes_of(x)
    count = draw.random.randint(1, 3)
    number = draw.shape(x)[axis]
    where = draw.int_input([*sizes[:axis], count, *sizes[axis + 1 :]], -number, number)
    taken = draw.call("take_along_axis", x, where, axis=axis, bound=draw.bound(x))
    y = draw.operand(lambda t: t.shape == shape)
    if y is not None and draw.chance(0.6):
        draw.call("scatter_add_along_axis", y, where, taken, axis=axis, bound=5.0 * draw.bound(x))


@maker(2)
def one_hot(draw: Draw) -> None:
    """Ones at the places of the largest elements, times a value."""
    x = draw.operand(lambda t: t.ndim >= 1)
    if x is None:
        return
    axis = draw.axis(x)
    where = places_of(draw, x, axis)
    ndim = draw.tensor(where).ndim
    place = axis if draw.chance(0.7) else draw.random.randint(0, ndim)
    depth: Any = draw.sizes_of(x)[axis] if place == axis else 4
    hot = draw.call("one_hot", where, depth, dtype=draw.dtype, axis=place, bound=1.0)
    if place == axis:
        draw.call("multiply", x, hot, bound=draw.bound(x))
