"""Samples of slices and of their transpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asg.core.types import Shape, as_shape
from asg.ops.slicing import Select, Slice, Unslice
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _places(*sizes: int | str) -> Shape:
    # Not as_shape: the place before the first element is -1.
    return tuple(size if isinstance(size, int) else as_shape(size)[0] for size in sizes)


def _placed(*key: slice, shape: tuple[int, ...]) -> Callable[[Array], Array]:
    def oracle(x: Array) -> Array:
        whole = np.zeros(shape, x.dtype)
        whole[key] = x
        return whole

    return oracle


register_samples(
    [
        Sample(Slice((1, 0), (3, 4), (1, 2)), (_numbers(4, 5),), lambda x: x[1:3, 0:4:2], None),
        Sample(Slice((1, 0), (5, 3), (1, 1)), (_numbers(5, 4),), lambda x: x[1:, :-1],
               (("n", "m"),), Slice(_places(1, 0), _places("n", "m - 1"), (1, 1))),
        Sample(Slice((2,), (5,), (1,)), (_numbers(5),), lambda x: x[2:], (("n",),),
               Slice((2,), _places("n"), (1,)), label="maybe nothing left"),
        Sample(Slice((4,), (-1,), (-2,)), (_numbers(5),), lambda x: x[::-2], (("n",),),
               Slice(_places("n - 1"), (-1,), (-2,)), label="backward"),
        Sample(Slice((9,), (1,), (-3,)), (_numbers(6),), lambda x: x[9:1:-3], (("n",),),
               label="backward from outside"),
        Sample(Slice((-4, 0), (9, 9), (3, 1)), (_numbers(5, 2),), lambda x: x[0:5:3],
               (("n", "m"),), label="bounds outside"),
        Sample(Slice((3,), (1,), (1,)), (_numbers(5),), lambda x: x[3:1], (("n",),),
               label="nothing"),
        Sample(Slice((), (), ()), (_numbers(),), np.copy, ((),)),
        Sample(Slice((0, 1), (0, 2), (1, 1)), (_numbers(0, 3),), lambda x: x[:, 1:2], None),
        Sample(Unslice((1, 0), (3, 4), (1, 2), (4, 5)), (_numbers(2, 2),),
               _placed(slice(1, 3), slice(0, 4, 2), shape=(4, 5)), None),
        Sample(Unslice((1, 0), (5, 3), (1, 1), (5, 4)), (_numbers(4, 3),),
               _placed(slice(1, None), slice(0, -1), shape=(5, 4)), (("n", "m"),),
               Unslice((1, 0), _places("n + 1", "m"), (1, 1), as_shape(("n + 1", "m + 1")))),
        Sample(Unslice((4,), (-1,), (-2,), (5,)), (_numbers(3),),
               _placed(slice(None, None, -2), shape=(5,)), (("n",),),
               Unslice(_places("2*n - 2"), (-1,), (-2,), as_shape("2*n - 1")), label="backward"),
        Sample(Unslice((4,), (9,), (3,), (9,)), (_numbers(2),),
               _placed(slice(4, 9, 3), shape=(9,)), None),
        Sample(Unslice((3,), (1,), (1,), (4,)), (_numbers(0),), lambda x: np.zeros(4), None),
        Sample(Unslice((), (), (), ()), (_numbers(),), np.copy, None),
        Sample(Select((0, 2), (1, 3)), (_numbers(2, 3, 4),), lambda x: x[1, :, 3],
               (("a", "b", "c"),), label="places that the run checks"),
        Sample(Select((1,), (2,)), (_numbers(2, 3),), lambda x: x[:, -1], (("a", "n"),),
               Select((1,), _places("n - 1"))),
        Sample(Select((0,), (2,)), (_numbers(3),), lambda x: x[2].reshape(()), None),
        Sample(Select((0,), (0,)), (_numbers(1, 0),), lambda x: x[0], None),
        Sample(Select((), ()), (_numbers(2),), np.copy, None),
    ]
)  # fmt: skip
