"""Weight normalisation: direction and length of a weight as separate variables."""

from __future__ import annotations

from typing import TypeVar

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.module import Module
from asg.nn.utils.parametrization import Parametrization, own_variable, register_parametrization
from asg.state.variable import Variable

Held = TypeVar("Held", bound=Module)


def weight_norm(module: Held, name: str = "weight", dim: int | None = 0) -> Held:
    """``weight = g * v / |v|``, the norm over all axes but ``dim``; g and v are what is trained.

    They are called ``parametrizations.weight.original0`` (g) and ``original1`` (v), as by
    `torch.nn.utils.parametrizations.weight_norm`, and the weight starts as it would without.

    Args:
        module: is changed, and returned.
        name: of its variable.
        dim: the axis along which each slice has a length of its own; None: one for all.

    Source: Salimans and Kingma, "Weight normalization", https://arxiv.org/abs/1602.07868.

    Raises:
        OperandError: no such variable or axis.

    >>> from asg import nn
    >>> layer = nn.utils.weight_norm(nn.Linear(3, 2))
    >>> {name: variable.shape for name, variable in layer.parameters().items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'bias': (2,), 'parametrizations.weight.original0': (2, 1),
     'parametrizations.weight.original1': (2, 3)}
    """
    rank = own_variable(module, name).type.ndim
    if dim is not None and (isinstance(dim, bool) or dim not in range(rank)):
        raise OperandError(f"dim={dim!r} is none of the {rank} axes of {name!r}, and not None")
    return register_parametrization(module, name, WeightNorm(dim))


class WeightNorm(Parametrization):
    """``g * v / |v|``."""

    def __init__(self, dim: int | None) -> None:
        """The norm is over all axes but ``dim``."""
        self.dim = dim

    def originals(self, variable: Variable) -> tuple[Variable, ...]:
        """The lengths, which start as those of the weight; and the weight as direction."""
        length = _Length(variable, self.dim)
        kept = variable.type
        shape = length.of(variable.leaf).shape
        return (
            Variable("original0", shape, length, kept.dtype, variable.role, variable.trainable),
            variable,
        )

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """The weight."""
        return v * (g / norm_except(v, self.dim))

    def describe(self) -> str:
        return f"dim={self.dim}"


class _Length:
    """An initialiser: the norm of another variable's first value."""

    def __init__(self, variable: Variable, dim: int | None) -> None:
        self.variable, self.dim = variable, dim

    def of(self, value: Tensor) -> Tensor:
        return norm_except(value, self.dim)

    def __call__(self, key: Tensor, type: TensorType) -> Tensor:
        return self.of(self.variable.leaf)


def norm_except(x: Tensor, dim: int | None) -> Tensor:
    """The norm over all axes but ``dim``, which are kept with size 1; of everything, a scalar."""
    if dim is None:
        return call("vector_norm", x)
    axes = tuple(axis for axis in range(x.ndim) if axis != dim)
    return call("vector_norm", x, axis=axes, keepdims=True) if axes else abs(x)
