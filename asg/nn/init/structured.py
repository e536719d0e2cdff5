"""Initialisers with a structure: orthogonal, identities, sparse columns."""

from __future__ import annotations

from math import ceil, prod

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.checks import require_number, require_positive, require_probability
from asg.nn.init.distributions import drawn_in, normal
from asg.nn.init.scaled import static_shape
from asg.state.variable import Initialiser


def orthogonal(gain: float = 1.0) -> Initialiser:
    """Rows or columns, whichever are fewer, orthogonal and of length ``gain``; uniform.

    The axes after the first count as one. It is the Q of a QR factorisation (with a positive
    diagonal of R) of normal numbers, and computed in float32, for float64 in float64.

    Source: Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks", https://arxiv.org/abs/1312.6120.

    Raises:
        OperandError: ``gain`` is no number; fewer than two axes (when the value is built).

    >>> from asg import nn
    >>> weight = nn.Linear(3, 2, init=nn.init.orthogonal()).state_dict()["weight"]
    >>> bool(abs(weight @ weight.T - [[1.0, 0.0], [0.0, 1.0]]).max() < 1e-6)
    True
    """
    require_number("gain", gain)

    def build(key: Tensor, type: TensorType) -> Tensor:
        rows, *rest = _axes("orthogonal", type, 2)
        columns = prod(rest)
        tall = (max(rows, columns), min(rows, columns))
        q, _ = call("qr", call("normal", key, tall, dtype=drawn_in(type)))
        return ((q.T if rows < columns else q) * gain).reshape(type.shape).astype(type.dtype)

    return build


def eye(gain: float = 1.0) -> Initialiser:
    """A matrix with ``gain`` in the diagonal and zeros elsewhere.

    Raises:
        OperandError: ``gain`` is no number; not two axes (when the value is built).
    """
    require_number("gain", gain)

    def build(key: Tensor, type: TensorType) -> Tensor:
        _axes("eye", type, 2, 2)
        same = call("equal", call("iota", type.shape, 0), call("iota", type.shape, 1))
        return same.astype(type.dtype) * gain

    return build


def dirac(groups: int = 1) -> Initialiser:
    """A convolution that copies its channels, as far as there are any to copy.

    Of the weight ``[out, in, *kernel]`` each group of outputs copies the inputs in order by a 1 in
    the middle of the kernel.

    Raises:
        OperandError: ``groups`` is not positive; not three to five axes, or outputs that do not
            divide into the groups (when the value is built).

    >>> import asg
    >>> from asg import nn
    >>> value = nn.init.dirac()
    >>> weight = asg.run(value(asg.random_key(0), asg.TensorType.of("float32", (2, 2, 3))))
    >>> weight.tolist()
    [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    """
    require_positive(groups=groups)

    def build(key: Tensor, type: TensorType) -> Tensor:
        outputs, _, *kernel = shape = _axes("dirac", type, 3, 5)
        if outputs % groups:
            raise OperandError(f"dirac: {groups} groups do not divide {outputs} outputs")
        place = call("remainder", call("iota", shape, 0), outputs // groups)
        chosen = call("equal", place, call("iota", shape, 1))
        for axis, size in enumerate(kernel, start=2):
            middle = call("equal", call("iota", shape, axis), size // 2)
            chosen = call("logical_and", chosen, middle)
        return chosen.astype(type.dtype)

    return build


def sparse(sparsity: float, std: float = 0.01) -> Initialiser:
    """Normal with standard deviation ``std``, with zeros in a share of each column.

    Of every column of a matrix ``ceil(sparsity * rows)`` elements, chosen at random, are 0.

    Source: Martens, "Deep learning via Hessian-free optimization", 2010.

    Raises:
        OperandError: not a share in [0, 1], a negative ``std``; not two axes (when the value is
            built).

    >>> from asg import nn
    >>> weight = nn.Linear(3, 10, init=nn.init.sparse(0.75)).state_dict()["weight"]
    >>> (weight == 0.0).sum(axis=0).tolist()
    [8, 8, 8]
    """
    require_probability("sparsity", sparsity)
    draw = normal(0.0, std)

    def build(key: Tensor, type: TensorType) -> Tensor:
        rows, _ = _axes("sparse", type, 2, 2)
        keys = call("split_key", key, 2)
        order = call("argsort", call("random_bits", keys[0], type.shape), 0)
        rank = call("argsort", order, 0)
        return call("where", rank < ceil(sparsity * rows), 0.0, draw(keys[1], type))

    return build


def _axes(name: str, type: TensorType, fewest: int, most: int | None = None) -> tuple[int, ...]:
    """The shape, when it has this many axes and is of floats."""
    if not fewest <= type.ndim <= (most or type.ndim) or not type.dtype.is_float:
        wanted = f"{fewest} axes or more" if most is None else f"{fewest} to {most} axes"
        raise OperandError(f"{name} needs floats along {wanted}, the variable is {type}")
    return static_shape(type)
