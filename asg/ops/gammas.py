"""Gamma and beta numbers, by rejection from random bits of a key (see `asg.ops.random`)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dtype import bool_, float32, int32, promote
from asg.core.errors import NotDifferentiable, OperandError
from asg.core.explain import made_by
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, as_shape
from asg.ops.compare import isfinite, logical_and, logical_not, logical_or
from asg.ops.distributions import Normal
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import exp, log, log1p, negative, rsqrt, sigmoid, square
from asg.ops.leaf import constant, full
from asg.ops.operand import widened
from asg.ops.random import SplitKey, fold_in, require_key
from asg.ops.reduce import all as all_of
from asg.ops.shape import broadcast_arrays, broadcast_to
from asg.ops.variates import Exponential
from asg.ops.while_loops import while_loop

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class FromShapes(Op, abstract=True):
    """Drawn from a key and shape parameters of one type.

    There is no gradient by the parameters, which is an error and not a zero. Operands are variadic
    since how many parameters there are is up to the distribution.
    """

    category: ClassVar[str] = "random"
    parameters: ClassVar[tuple[str, ...]]

    def infer(self, *operands: TensorType) -> TensorType:
        if len(operands) != len(self.parameters) + 1:
            raise TypeProblem(f"a key and {', '.join(self.parameters)} are needed",
                              error=OperandError)  # fmt: skip
        require_key(operands[0])
        for name, given in zip(self.parameters, operands[1:], strict=True):
            given.require_float(name)
            if given != operands[1]:
                raise TypeProblem(
                    f"{self.parameters[0]} is {operands[1]} and {name} is {given}",
                    "broadcast and cast them to one type",
                )
        return operands[1]

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        raise NotDifferentiable(
            f"{self.name} has no gradient by {' and '.join(self.parameters)}, which decide what "
            f"is accepted ({made_by(outputs[0])})\n"
            "  repair: wrap the parameters or the result in asg.stop_gradient; exponential, "
            "laplace, gumbel and normal numbers can be scaled by what is learned"
        )


class Gamma(FromShapes):
    """Gamma with shape ``alpha`` and scale 1; NaN where alpha is not positive and finite.

    Marsaglia and Tsang's rejection, until every element has been accepted; for alpha below 1,
    ``gamma(alpha + 1) * u^(1 / alpha)``. float16 and bfloat16 are computed in float32.
    """

    parameters: ClassVar[tuple[str, ...]] = ("alpha",)

    def decompose(self, *operands: Tensor) -> Tensor:
        key, alpha = operands
        number, exponent = _gamma_parts(key, widened(alpha))
        return (number * exp(exponent)).astype(alpha.dtype)


class Beta(FromShapes):
    """``x / (x + y)``, x gamma with shape a, y with shape b, computed from their logarithms.

    So no pair of small shapes gives 0 / 0. NaN where a or b is not positive and finite.
    """

    parameters: ClassVar[tuple[str, ...]] = ("a", "b")

    def decompose(self, *operands: Tensor) -> Tensor:
        key, *shapes = operands
        keys = SplitKey(2)(key)
        parts = (_gamma_parts(keys[i], widened(each)) for i, each in enumerate(shapes))
        x, y = (log(number) + exponent for number, exponent in parts)
        return sigmoid(x - y).astype(shapes[0].dtype)


def _gamma_parts(key: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """A number and an exponent: ``number * exp(exponent)`` is gamma distributed."""
    keys = SplitKey(2)(key)
    valid, small = logical_and(alpha > 0.0, isfinite(alpha)), alpha < 1.0
    shape = where(valid, where(small, alpha + 1.0, alpha), 1.0)
    boost = Exponential(alpha.shape, alpha.dtype)(keys[1]) / where(valid, alpha, 1.0)
    number = where(valid, _accepted(keys[0], shape), float("nan"))
    return number, where(small, negative(boost), 0.0)


def _accepted(key: Tensor, alpha: Tensor) -> Tensor:
    """Gamma numbers for finite alpha >= 1: ``d (1 + t)^3``, at least 95 of 100 in the first try."""
    d = alpha - 1.0 / 3.0
    c = rsqrt(9.0 * d)

    def go_on(state: Tensors) -> Tensor:
        return logical_not(all_of(state[2]))

    def attempt(state: Tensors) -> Tensors:
        count, value, done = state
        keys = SplitKey(2)(fold_in(key, count))
        x = Normal(alpha.shape, alpha.dtype)(keys[0])
        t = c * x
        inside = t > -1.0
        t = where(inside, t, 0.0)
        # log v - (v - 1) with v = (1 + t)^3, so that nothing large cancels when alpha is large.
        excess = 3.0 * log1p(t) - t * (3.0 + t * (3.0 + t))
        threshold = 0.5 * square(x) + d * excess
        log_u = negative(Exponential(alpha.shape, alpha.dtype)(keys[1]))
        good = logical_and(inside, log_u < threshold)
        found = d * (1.0 + t) * square(1.0 + t)
        return count + 1, where(done, value, found), logical_or(done, good)

    start = (constant(0, int32), alpha, full(alpha.shape, False, bool_))
    result: Tensors = while_loop(go_on, attempt, start)
    return result[1]


# -- functions -----------------------------------------------------------------------------------


@public
def gamma(key: Any, alpha: Any, shape: Any = None) -> Tensor:
    """Gamma numbers with shape parameter ``alpha`` and scale 1; NaN where it is not positive.

    Args:
        key: u32[2].
        alpha: a number or floating tensor; its dtype is that of the result.
        shape: of the result; ``alpha`` broadcasts to it. Default: the shape of ``alpha``.

    Raises:
        ShapeError: ``alpha`` does not broadcast to ``shape``.
        DtypeError: ``alpha`` is not floating, or ``key`` not u32[2].
        NotDifferentiable: when a gradient by ``alpha`` is taken.

    Source: Marsaglia and Tsang, ACM TOMS 26 (2000), https://doi.org/10.1145/358407.358414.

    >>> import asg
    >>> x = asg.run(asg.gamma(asg.random_key(0), 3.0, (4000,)))
    >>> bool(x.min() > 0 and abs(x.mean() - 3) < 0.15)
    True
    """
    return Gamma()(key, *_parameters({"alpha": alpha}, shape))


@public
def beta(key: Any, a: Any, b: Any, shape: Any = None) -> Tensor:
    """Beta numbers in [0, 1] with density proportional to ``x^(a-1) (1-x)^(b-1)``.

    Args:
        key: u32[2].
        a: a number or floating tensor; NaN results where it is not positive.
        b: likewise; a and b broadcast to each other.
        shape: of the result, to which both broadcast. Default: their common shape.

    Raises:
        ShapeError: a and b do not broadcast.
        DtypeError: a or b is not floating, or ``key`` not u32[2].
        NotDifferentiable: when a gradient by a or b is taken.

    >>> import asg
    >>> x = asg.run(asg.beta(asg.random_key(0), 2.0, 6.0, (4000,)))
    >>> bool(x.min() >= 0 and x.max() <= 1 and abs(x.mean() - 0.25) < 0.02)
    True
    """
    return Beta()(key, *_parameters({"a": a, "b": b}, shape))


def _parameters(values: dict[str, Any], shape: Any) -> Tensors:
    """As tensors of one floating type; numbers take the dtype of the tensors, else float32."""
    tensors = {n: as_tensor(v) for n, v in values.items() if not isinstance(v, int | float)}
    for name, tensor in tensors.items():
        tensor.type.require_float(name)
    dtypes = [tensor.dtype for tensor in tensors.values()]
    dtype = reduce(promote, dtypes) if dtypes else float32
    numbers = {n: constant(float(v), dtype) for n, v in values.items() if n not in tensors}
    ordered = [(tensors | numbers)[name].astype(dtype) for name in values]
    if shape is None:
        return broadcast_arrays(*ordered)
    return tuple(broadcast_to(each, as_shape(shape)) for each in ordered)
