"""More operations of random graphs: moves of elements, and forms that rewrite rules look for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.dim import known_equal
from asg.testing.draw import Draw, maker
from asg.testing.random_ops import positive
from asg.testing.recipe import Name

_MOST_ELEMENTS = 100


def moved(draw: Draw, x: Name, function: str, *arguments: Any, **options: Any) -> Name:
    """The same elements elsewhere: the bound stays."""
    return draw.call(function, x, *arguments, **options, bound=draw.bound(x))


# -- moves -----------------------------------------------------------------------------------------


@maker(6)
def permuted(draw: Draw) -> None:
    """Axes in another order, and perhaps in another one again."""
    x = draw.pick(lambda t: t.ndim >= 3) or draw.pick(lambda t: t.ndim >= 2)
    for _ in range(draw.random.randint(1, 2) if x is not None else 0):
        assert x is not None
        axes = list(range(draw.tensor(x).ndim))
        draw.random.shuffle(axes)
        x = moved(draw, x, "permute_dims", tuple(axes))


@maker(5)
def reshaped(draw: Draw) -> None:
    """Axes merged, cut in two, or all of them flattened."""
    x = draw.pick()
    if x is None:
        return
    sizes: list[Any] = list(draw.sizes_of(x))
    shape = draw.tensor(x).shape
    kind = draw.random.choice(["flatten", "merge", "cut"])
    axis = draw.random.randrange(len(shape)) if shape else 0
    if kind == "flatten" or not shape:
        moved(draw, x, "reshape", (-1,))
    elif kind == "merge" and axis + 1 < len(shape):
        moved(draw, x, "reshape", (*sizes[:axis], -1, *sizes[axis + 2 :]))
    elif kind == "cut" and draw.shape(x)[axis] % 2 == 0:
        whole = isinstance(shape[axis], int)  # else the division is checked when it runs
        pieces: list[Any] = [2, -1] if draw.chance(0.5) or not whole else [-1, 2]
        moved(draw, x, "reshape", (*sizes[:axis], *pieces, *sizes[axis + 1 :]))


@maker(4)
def expanded_or_squeezed(draw: Draw) -> None:
    """New axes of size 1, or fewer of them."""
    x = draw.pick(lambda t: t.ndim <= 3)
    if x is None:
        return
    ones = [axis for axis, size in enumerate(draw.tensor(x).shape) if size == 1]
    if ones and draw.chance(0.6):
        some = None if draw.chance(0.3) else tuple(a for a in ones if draw.chance(0.7))
        moved(draw, x, "squeeze", some)
    else:
        ndim = draw.tensor(x).ndim + 1
        moved(draw, x, "expand_dims", draw.random.randrange(-ndim, ndim))


@maker(4)
def broadcast(draw: Draw) -> None:
    """Axes of size 1 stretched, and new ones in front."""
    x = draw.pick(lambda t: t.ndim <= 3)
    if x is None:
        return
    sizes: list[Any] = list(draw.sizes_of(x))
    count = draw.random.choice([0, 0, 1, 2])
    for axis, size in enumerate(draw.tensor(x).shape):
        if size == 1 and draw.chance(0.7):
            sizes[axis] = draw.random.randint(2, 3)
            count = max(count, 1) if draw.chance(0.3) else count
    front = [draw.random.randint(1, 3) for _ in range(min(count, 4 - len(sizes)))]
    if draw.elements(x) * 9 <= _MOST_ELEMENTS:
        moved(draw, x, "broadcast_to", (*front, *sizes))


@maker(4)
def joined(draw: Draw) -> None:
    """Values one behind the other, or side by side."""
    x = draw.pick(lambda t: t.ndim >= 1)
    if x is None:
        return
    axis = draw.axis(x)
    off = _without(draw.tensor(x).shape, axis)
    ndim = draw.tensor(x).ndim
    names = draw.names(
        lambda t: t.dtype.name == draw.dtype and t.ndim == ndim and _without(t.shape, axis) == off
    )
    chosen = [x, *draw.random.choices(names, k=draw.random.randint(1, 2))]
    bound = max(draw.bound(name) for name in chosen)
    if sum(draw.elements(name) for name in chosen) > _MOST_ELEMENTS:
        return
    if draw.chance(0.3) and len({draw.tensor(name).shape for name in chosen}) == 1:
        draw.call("stack", chosen, axis=draw.random.randint(-ndim - 1, ndim), bound=bound)
    else:
        draw.call("concat", chosen, axis=axis, bound=bound)


def _without(shape: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


@maker(4)
def cut(draw: Draw) -> None:
    """A value in pieces, some of which may stay unused."""
    x = draw.pick(lambda t: any(isinstance(size, int) and size >= 2 for size in t.shape))
    if x is None:
        return
    literal = [
        a for a, size in enumerate(draw.tensor(x).shape) if isinstance(size, int) and size > 1
    ]
    axis = draw.random.choice(literal)
    size = draw.shape(x)[axis]
    first = draw.random.randint(1, size - 1)
    sizes: Any = [first, size - first]
    if size > 2 and draw.chance(0.4):
        sizes = [1, first, size - first - 1] if first < size - 1 else size
    count = sizes if isinstance(sizes, int) else len(sizes)
    draw.several(count, "split", x, sizes, axis=axis, bound=draw.bound(x))


@maker(6)
def sliced(draw: Draw) -> None:
    """Square brackets: numbers, slices in both directions, new axes."""
    x = draw.pick(lambda t: t.ndim >= 1)
    if x is None:
        return
    key: list[Any] = [_key(draw, size) for size in draw.shape(x)]
    if draw.chance(0.2):
        key.insert(draw.random.randint(0, len(key)), None)
    if draw.chance(0.2):
        key[-1:] = [Ellipsis]
    draw.call("getitem", x, tuple(key), bound=draw.bound(x))


def _key(draw: Draw, size: int) -> Any:
    """What stands for one axis; it leaves something over."""
    choices: list[Any] = [slice(None), slice(None), slice(None, None, -1), 0, -1]
    if size >= 2:
        choices += [slice(1, None), slice(None, -1), slice(None, None, 2), slice(None, None, -2)]
    if size >= 3:
        choices += [slice(1, -1), slice(-2, None), slice(2, 0, -1), 1, slice(0, 2)]
    return draw.random.choice(choices)


@maker(3)
def flipped_or_rolled(draw: Draw) -> None:
    """Elements in reverse, or moved around the end."""
    x = draw.pick(lambda t: t.ndim >= 1)
    if x is None:
        return
    axes = draw.axes(x)
    if draw.chance(0.5):
        moved(draw, x, "flip", axis=axes)
    else:
        moved(draw, x, "roll", draw.random.randint(-2, 2), axis=draw.axis(x))


@maker(3)
def padded(draw: Draw) -> None:
    """Numbers around a value."""
    x = draw.pick()
    if x is None or draw.elements(x) > _MOST_ELEMENTS // 4:
        return
    pairs = [(draw.random.randint(0, 1), draw.random.randint(0, 2)) for _ in draw.shape(x)]
    value = draw.random.choice([0, 0, 1.5])
    draw.call("pad", x, pairs, value, bound=draw.bound(x) + 1.5)


@maker(2)
def repeated(draw: Draw) -> None:
    """Elements or whole values several times."""
    x = draw.pick(lambda t: t.ndim >= 1)
    if x is None or draw.elements(x) > _MOST_ELEMENTS // 4:
        return
    if draw.chance(0.5):
        moved(draw, x, "repeat", 2, axis=draw.axis(x))
    else:
        moved(draw, x, "tile", tuple(draw.random.randint(1, 2) for _ in draw.shape(x)))


@maker(2)
def triangle(draw: Draw) -> None:
    """Parts of matrices: diagonals and triangles."""
    x = draw.pick(lambda t: t.ndim >= 2)
    if x is not None:
        function = draw.random.choice(["tril", "triu", "diagonal", "trace"])
        bound = draw.bound(x) * (8.0 if function == "trace" else 1.0)
        draw.call(function, x, bound=bound)


@maker(12)
def claimed_equal(draw: Draw) -> None:
    """A value that claims the sizes of another one; they are compared when it runs."""
    x = draw.operand(lambda t: not t.type.is_static)
    if x is None:
        return
    numbers, own = draw.shape(x), draw.tensor(x).shape
    others = [
        name
        for name in draw.names(lambda t: t.dtype.name == draw.dtype and t.shape != own)
        if draw.shape(name) == numbers and draw.may_equal(own, draw.tensor(name).shape)
    ]
    if others:
        y = draw.random.choice(others)
        if draw.chance(0.5):
            moved(draw, x, "assume_shape", tuple(draw.sizes_of(y)))
        else:
            draw.call("add", x, y, bound=draw.bound(x) + draw.bound(y))


# -- leaves ----------------------------------------------------------------------------------------


@maker(3)
def leaf(draw: Draw) -> None:
    """Constants and arrays made from nothing, as large as a value."""
    x = draw.pick()
    if x is None:
        return
    sizes = tuple(draw.sizes_of(x))
    kind = draw.random.choice(["full", "iota", "constant", "input"])
    if kind == "full":
        draw.call("full", sizes, draw.number(), draw.dtype, bound=2.0)
    elif kind == "iota" and sizes:
        axis = draw.random.randrange(len(sizes))
        draw.call("iota", sizes, axis=axis, dtype=draw.dtype, bound=8.0)
    elif kind == "constant":
        row = [draw.number() for _ in range(draw.shape(x)[-1] if sizes else 1)]
        draw.call("constant", row if sizes else row[0], draw.dtype, bound=2.0)
    elif kind == "input":
        draw.float_input(sizes)


@maker(2)
def converted(draw: Draw) -> None:
    """To integers and back; in float32 graphs to float64 and back, too."""
    x = draw.operand()
    if x is None:
        return
    if draw.dtype == "float32" and draw.chance(0.6):
        wide = moved(draw, x, "astype", "float64")
        wide = draw.call("sin", wide, bound=1.0) if draw.chance(0.5) else wide
        moved(draw, wide, "astype", "float32")
        return
    shifted = draw.call("add", x, 0.1379, bound=draw.bound(x) + 0.2)
    whole = moved(draw, shifted, "astype", draw.random.choice(["int32", "int64", "int8"]))
    if draw.chance(0.5):
        whole = draw.call("add", whole, whole, bound=2.0 * draw.bound(whole))
    moved(draw, whole, "astype", draw.dtype)


# -- forms that rules look for ---------------------------------------------------------------------

_Form = Callable[[Draw, Name], object]


def _call(draw: Draw, function: str, *arguments: Any, **options: Any) -> Name:
    """A value no larger than a few units."""
    return draw.call(function, *arguments, **options, bound=8.0)


def _forms() -> list[_Form]:
    """Expressions that the default rules rewrite; the operand is at most 1.5."""
    return [
        lambda d, x: _call(d, "negative", _call(d, "negative", x)),
        lambda d, x: _call(d, "add", x, _call(d, "negative", x)),
        lambda d, x: _call(d, "subtract", _call(d, "tanh", x), _call(d, "negative", x)),
        lambda d, x: _call(d, "multiply", _call(d, "negative", x), _call(d, "negative", x)),
        lambda d, x: _call(d, "subtract", 1.0, _call(d, "sigmoid", x)),
        lambda d, x: _call(d, "log", _call(d, "sigmoid", x)),
        lambda d, x: _call(d, "subtract", _call(d, "exp", x), 1.0),
        lambda d, x: _call(d, "log", _call(d, "add", 1.0, _call(d, "exp", x))),
        lambda d, x: _call(d, "log1p", _call(d, "exp", x)),
        lambda d, x: _call(d, "pow", positive(d, x), 0.5),
        lambda d, x: _call(d, "where", _call(d, "greater", x, 0.1373), x, x),
        lambda d, x: _call(d, "where", _call(d, "constant", True), x, _call(d, "exp", x)),
        lambda d, x: _call(d, "sum", _call(d, "expand_dims", x, 0), axis=0),
        lambda d, x: _call(d, "squeeze", _call(d, "expand_dims", x, -1), -1),
        lambda d, x: _call(d, "broadcast_to", _call(d, "expand_dims", x, 0), (2, *d.sizes_of(x))),
        lambda d, x: _call(d, "multiply", x, _call(d, "full", tuple(d.sizes_of(x)), 1.0, d.dtype)),
        lambda d, x: _call(d, "concat", [_call(d, "expand_dims", x, 0)]),
        lambda d, x: _call(d, "add", _call(d, "tanh", x), _call(d, "tanh", x)),
    ]


_FORMS = _forms()


@maker(6)
def form(draw: Draw) -> None:
    """One of the forms."""
    x = draw.operand(lambda t: t.ndim <= 3, limit=1.5)
    if x is not None and draw.elements(x) <= _MOST_ELEMENTS // 2:
        draw.random.choice(_FORMS)(draw, x)


@maker(6)
def form_along_axis(draw: Draw) -> None:
    """Logarithms of softmax and of sums of exponentials; moves that merge into one."""
    x = draw.operand(lambda t: t.ndim >= 2, limit=1.5)
    if x is None:
        return
    axis = draw.axis(x)
    kind = draw.random.choice(["log_softmax", "logsumexp", "permute", "reshape", "sums"])
    if kind == "log_softmax":
        _call(draw, "log", _call(draw, "softmax", x, axis=axis))
    elif kind == "logsumexp":
        total = _call(draw, "sum", _call(draw, "exp", x), axis=axis, keepdims=draw.chance(0.5))
        _call(draw, "log", total)
    elif kind == "permute":
        _call(draw, "matrix_transpose", _call(draw, "swapaxes", x, 0, axis))
    elif kind == "reshape":
        flat = _call(draw, "reshape", x, (-1,))
        _call(draw, "reshape", flat, tuple(reversed(draw.sizes_of(x))))
    else:
        _call(draw, "sum", _call(draw, "sum", x, axis=axis), axis=0)


@maker(2)
def product_with_itself(draw: Draw) -> None:
    """Shared operands: a square, and a value with its own transpose."""
    x = draw.operand(limit=2.0)
    if x is None:
        return
    shape = draw.tensor(x).shape
    if len(shape) == 2 and known_equal(shape[0], shape[1]) is True and draw.chance(0.7):
        _call(draw, "multiply", x, _call(draw, "matrix_transpose", x))
    else:
        _call(draw, "multiply", x, x)
