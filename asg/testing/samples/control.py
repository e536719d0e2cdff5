"""Samples of loops and branches; the oracles are loops and branches of Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from asg.autodiff.api import vjp
from asg.core.dtype import bool_, float64, int32
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.ops.associative_scans import associative_scan
from asg.ops.branches import cond, switch
from asg.ops.elementwise_unary import exp, tanh
from asg.ops.leaf import constant, input
from asg.ops.loops import Scan, scan
from asg.ops.reduce import sum
from asg.ops.while_loops import while_loop
from asg.passes.specialise import substitute_op
from asg.testing.sample import Array, Sample, register_samples

Shape = tuple[int | str, ...]


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _op(build: Callable[..., Any], *shapes: Shape, dtypes: Sequence[Any] = ()) -> Op:
    """The op that ``build`` applies last, called with one input for each shape."""
    kinds = [*dtypes, *[float64] * (len(shapes) - len(dtypes))]
    pairs = zip(shapes, kinds, strict=True)
    tensors = [input(f"x{i}", shape, kind) for i, (shape, kind) in enumerate(pairs)]
    result: Tensor = build(*tensors)
    return result.node.op


def _recurrent(h: Any, xs: Any, w: Any, u: Any, checkpoint: Any = False) -> Tensor:
    def step(carry: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        after = tanh(carry @ w + x * u)
        return after, after * carry

    return scan(step, h, xs, checkpoint=checkpoint)[0]  # type: ignore[no-any-return]


def _segmented(h: Any, xs: Any, w: Any, u: Any) -> Tensor:
    return _recurrent(h, xs, w, u, "sqrt")


def _segmented_sample(length: int, label: str) -> Sample:
    symbolic = _op(_segmented, ("n",), ("t", "n"), ("n", "n"), ("n",))
    return Sample(
        substitute_op(symbolic, {"n": 2, "t": length}),
        (_numbers(2), _numbers(length, 2), _numbers(2, 2), _numbers(2)), _recurrent_oracle,
        (("n",), ("t", "n"), ("n", "n"), ("n",)), symbolic, label=label,
    )  # fmt: skip


def _recurrent_oracle(h: Array, xs: Array, w: Array, u: Array) -> tuple[Array, Array]:
    stacked = []
    for x in xs:
        after = np.tanh(h @ w + x * u)
        stacked.append(after * h)
        h = after
    return h, np.array(stacked).reshape(len(xs), *h.shape)


def _changed(op: Op, **attributes: Any) -> Op:
    assert isinstance(op, Scan)
    return replace(op, **attributes)


def _backwards(xs: Any) -> Tensor:
    def step(carry: Tensor, x: Tensor) -> tuple[Tensor, Any]:
        return carry * 0.5 + exp(x), (carry, x)

    return scan(step, constant(0.0, float64), xs, reverse=True)[0]  # type: ignore[no-any-return]


def _backwards_oracle(start: Array, xs: Array) -> tuple[Array, Array, Array]:
    before = np.zeros(len(xs))
    carry = start
    for i in range(len(xs) - 1, -1, -1):
        before[i] = carry
        carry = carry * 0.5 + np.exp(xs[i])
    return carry, before, xs


def _swapped(a: Any, b: Any) -> Tensor:
    step = lambda c, _: (((c[1], c[0] * c[1]), c[0]))  # noqa: E731 - one line is the point
    return scan(step, (a, b), length=3)[0][0]  # type: ignore[no-any-return]


def _swapped_oracle(a: Array, b: Array) -> tuple[Array, Array, Array]:
    stacked = []
    for _ in range(3):
        stacked.append(a)
        a, b = b, a * b
    return a, b, np.array(stacked)


def _counted(count: Any, xs: Any, shared: Any) -> Tensor:
    def step(carry: Any, x: Tensor) -> tuple[Any, Tensor]:
        return carry + 1, x * x * exp(shared) + carry.astype(float64)

    return scan(step, count, xs)[1]  # type: ignore[no-any-return]


def _nested(start: Any, rows: Any, scale: Any) -> Tensor:
    def outer(carry: Tensor, row: Tensor) -> tuple[Tensor, None]:
        inner: Tensor = scan(lambda c, x: (c * scale + x * carry, None), carry, row)[0]
        return inner, None

    return scan(outer, start, rows)[0]  # type: ignore[no-any-return]


def _nested_oracle(start: Array, rows: Array, scale: Array) -> Array:
    for row in rows:
        before = start
        for x in row:
            start = start * scale + x * before
    return np.asarray(start)


def _chosen(index: Any, x: Any, k: Any) -> Tensor:
    return switch(index, [lambda: x * k, lambda: exp(x) + k, lambda: x])  # type: ignore[no-any-return]


def _chosen_oracle(index: Array, x: Array, k: Array) -> Array:
    return (x * k, np.exp(x) + k, x)[min(max(int(index), 0), 2)]


def _either(predicate: Any, x: Any) -> Tensor:
    return cond(predicate, lambda: (x * x, exp(x)), lambda: (-x, x))[0]  # type: ignore[no-any-return]


def _either_oracle(predicate: Array, x: Array) -> tuple[Array, Array]:
    return (x * x, np.exp(x)) if predicate else (-x, x)


def _doubled(x: Any, limit: Any) -> Tensor:
    step = lambda c: {"x": c["x"] * 2.0, "n": c["n"] + 1}  # noqa: E731 - one line is the point
    start = {"x": x, "n": constant(0, int32)}
    return while_loop(lambda c: sum(c["x"]) < limit, step, start)["x"]  # type: ignore[no-any-return]


def _doubled_oracle(x: Array, n: Array, limit: Array) -> tuple[Array, Array, Array]:
    steps = 0
    while x.sum() < limit:
        x, n, steps = x * 2.0, n + np.int32(1), steps + 1
    return x, n, np.array(steps, np.int32)


def _damped(a: Any, b: Any, k: Any) -> Tensor:
    step = lambda c: (tanh(c[0] * c[1] + k), 0.5 * c[1] + 0.1 * c[0] * c[0])  # noqa: E731 - short
    return while_loop(lambda c: sum(c[1]) > 1.0, step, (a, b))[0]  # type: ignore[no-any-return]


def _damped_oracle(a: Array, b: Array, k: Array) -> tuple[Array, Array, Array]:
    steps = 0
    while b.sum() > 1.0:
        a, b, steps = np.tanh(a * b + k), 0.5 * b + 0.1 * a * a, steps + 1
    return a, b, np.array(steps, np.int32)


def _grown(x: Any, w: Any, seed: Any) -> Tensor:
    """The derivatives of ``seed * x * w**steps`` by x and w; the op takes the steps first."""
    last = while_loop(lambda c: sum(c) < 9.0, lambda c: c * w, x)
    return vjp(last, seed, [x, w])[0]  # type: ignore[no-any-return]


def _grown_oracle(steps: Array, x: Array, w: Array, seed: Array) -> tuple[Array, Array]:
    n = int(steps)
    return seed * w**n, seed * x * n * w ** (n - 1)


def _composed(a: Any, b: Any, k: Any, reverse: bool = False) -> Tensor:
    """Affine maps ``x -> k a x + b``, one after the other, along the last axis."""

    def combine(f: Any, g: Any) -> Any:
        return f[0] * k * g[0], k * g[0] * f[1] + g[1]

    return associative_scan(combine, (a, b), reverse, axis=1)[0]  # type: ignore[no-any-return]


def _composed_oracle(a: Array, b: Array, k: Array) -> tuple[Array, Array]:
    a, b = a.copy(), b.copy()
    for t in range(1, a.shape[1]):
        b[:, t] = k[:, 0] * a[:, t] * b[:, t - 1] + b[:, t]
        a[:, t] = k[:, 0] * a[:, t - 1] * a[:, t]
    return a, b


def _composed_backwards(a: Array, b: Array, k: Array) -> tuple[Array, Array]:
    slopes, offsets = _composed_oracle(a[:, ::-1], b[:, ::-1], k)
    return slopes[:, ::-1], offsets[:, ::-1]


def _composed_sample(length: int, reverse: bool, label: str) -> Sample:
    build = partial(_composed, reverse=reverse)
    return Sample(
        _op(build, (2, length), (2, length), (2, 1)),
        (_numbers(2, length), _numbers(2, length) + 1.0, _numbers(2, 1)),
        _composed_backwards if reverse else _composed_oracle,
        (("n", "t"), ("n", "t"), ("n", 1)), _op(build, ("n", "t"), ("n", "t"), ("n", 1)),
        label=label,
    )  # fmt: skip


def _index(value: int | bool) -> Array:
    return np.array(value, np.bool_ if isinstance(value, bool) else np.int32)


def _chosen_sample(index: int, label: str) -> Sample:
    return Sample(
        _op(_chosen, (), (2,), (2,), dtypes=(int32,)), (_index(index), _numbers(2), _numbers(2)),
        _chosen_oracle, ((), ("n",), ("n",)), _op(_chosen, (), ("n",), ("n",), dtypes=(int32,)),
        label=label,
    )  # fmt: skip


def _either_sample(predicate: bool) -> Sample:
    return Sample(_op(_either, (), (2,), dtypes=(bool_,)), (_index(predicate), _numbers(2)),
                  _either_oracle, None, label=str(predicate).lower())  # fmt: skip


def _doubled_sample(limit: float, label: str) -> Sample:
    return Sample(
        _op(_doubled, (3,), ()), (np.array([1.0, 2.0, 0.5]), _index(0), np.array(limit)),
        _doubled_oracle, (("n",), (), ()), _op(_doubled, ("n",), ()), label=label,
    )  # fmt: skip


def _grown_sample(steps: int, label: str) -> Sample:
    return Sample(
        _op(_grown, (2,), (2,), (2,)),
        (_index(steps), _numbers(2), np.array([1.1, -0.9]), _numbers(2)[::-1].copy()),
        _grown_oracle, ((), ("n",), ("n",), ("n",)), _op(_grown, ("n",), ("n",), ("n",)),
        label=label,
    )  # fmt: skip


register_samples(
    [
        _chosen_sample(1, "the second"),
        _chosen_sample(-3, "below the first"),
        _chosen_sample(7, "beyond the last"),
        _either_sample(True),
        _either_sample(False),
        _doubled_sample(100.0, "several steps"),
        _doubled_sample(0.0, "no step"),
        Sample(_op(_damped, (2,), (2,), (2,)),
               (_numbers(2), np.array([3.0, 4.0]), _numbers(2)), _damped_oracle,
               (("n",), ("n",), ("n",)), _op(_damped, ("n",), ("n",), ("n",)),
               label="two carries"),
        _composed_sample(3, False, "forwards"),
        _composed_sample(4, True, "backwards"),
        _composed_sample(1, False, "one element"),
        _composed_sample(0, True, "no element"),
        _segmented_sample(7, "with steps left over"),
        _segmented_sample(4, "of segments alone"),
        _grown_sample(3, "steps"),
        _grown_sample(0, "no step"),
        _grown_sample(17, "a step more than needed"),

        Sample(_op(_recurrent, (3,), (2, 3), (3, 3), (3,)),
               (_numbers(3), _numbers(2, 3), _numbers(3, 3), _numbers(3)), _recurrent_oracle,
               (("n",), ("t", "n"), ("n", "n"), ("n",)),
               _op(_recurrent, ("n",), ("t", "n"), ("n", "n"), ("n",)), label="recurrent"),
        Sample(_op(_backwards, (4,)), (np.array(0.3), _numbers(4)), _backwards_oracle,
               ((), ("t",)), _op(_backwards, ("t",)), label="reverse"),
        Sample(_op(_swapped, (2,), (2,)), (_numbers(2), _numbers(2) + 1.5), _swapped_oracle,
               (("n",), ("n",)), _op(_swapped, ("n",), ("n",)), label="carries change places"),
        Sample(_op(_counted, (), (3, 2), (2,), dtypes=(int32,)),
               (np.array(2, np.int32), _numbers(3, 2), _numbers(2)),
               lambda n, xs, k: (np.int32(n + 3), xs * xs * np.exp(k) + n + np.arange(3)[:, None]),
               None, label="integer carry"),
        Sample(_op(_nested, (2,), (2, 3, 2), (2,)),
               (_numbers(2), _numbers(2, 3, 2), 0.5 * _numbers(2)), _nested_oracle,
               (("n",), ("a", "b", "n"), ("n",)),
               _op(_nested, ("n",), ("a", "b", "n"), ("n",)), label="nested"),
        Sample(_changed(_op(_recurrent, (2,), (5, 2), (2, 2), (2,)), unroll=2),
               (_numbers(2), _numbers(5, 2), _numbers(2, 2), _numbers(2)), _recurrent_oracle,
               None, label="unrolled"),
        Sample(_changed(_op(_recurrent, (2,), (2, 2), (2, 2), (2,)), checkpoint=True),
               (_numbers(2), _numbers(2, 2), _numbers(2, 2), _numbers(2)), _recurrent_oracle,
               None, label="checkpoint"),
        Sample(_op(_recurrent, (2,), (0, 2), (2, 2), (2,)),
               (_numbers(2), _numbers(0, 2), _numbers(2, 2), _numbers(2)), _recurrent_oracle,
               None, label="no steps"),
    ]
)  # fmt: skip
