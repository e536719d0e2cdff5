"""Spectral normalisation: a weight divided by its largest singular value."""

from __future__ import annotations

from math import prod
from typing import TypeVar

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.checks import require_number, require_positive
from asg.nn.convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from asg.nn.module import Module
from asg.nn.utils.parametrization import (
    is_parametrized,
    own_variable,
    register_parametrization,
)
from asg.state.trace import chosen_mode
from asg.state.variable import Variable

Held = TypeVar("Held", bound=Module)

_STARTING_ITERATIONS = 15  # as PyTorch: so many power iterations before the first step


def spectral_norm(
    module: Held,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Held:
    """``weight = original / sigma``, sigma the largest singular value, by power iteration.

    The singular vectors are kept as statistics, ``parametrizations.weight.0._u`` and ``_v`` (names
    as by `torch.nn.utils.parametrizations.spectral_norm`). Each read of the weight in training mode
    improves them by ``n_power_iterations``; a step of evaluation uses them as they are. A vector is
    divided by its length.

    Args:
        module: is changed, and returned.
        name: of its variable.
        n_power_iterations: at each read.
        eps: the least length of a vector that is divided by its length.
        dim: the axis of the rows of the matrix, all others are its columns; None: 0, and 1 for
            transposed convolutions.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks",
    https://arxiv.org/abs/1802.05957.

    Raises:
        OperandError: no such variable or axis, an argument out of range.

    >>> from asg import nn
    >>> layer = nn.utils.spectral_norm(nn.Linear(3, 2))
    >>> list(layer.parameters()), list(layer.buffers())
    ... # doctest: +NORMALIZE_WHITESPACE
    (['bias', 'parametrizations.weight.original'],
     ['parametrizations.weight.0._u', 'parametrizations.weight.0._v'])
    """
    if is_parametrized(module, name):
        value = module.parametrizations[name]
        raise OperandError(f"{name!r} is parametrised already: {value!r}")
    variable = own_variable(module, name)
    if dim is None:
        transposed = ConvTranspose1d | ConvTranspose2d | ConvTranspose3d
        dim = 1 if isinstance(module, transposed) else 0
    return register_parametrization(
        module, name, SpectralNorm(variable, n_power_iterations, eps, dim)
    )


class SpectralNorm(Module):
    """``weight / (u . W v)``, W the weight as a matrix, u and v its first singular vectors.

    Attributes:
        _u: ``[rows]``, of length 1; missing for a vector.
        _v: ``[columns]``, of length 1; missing for a vector.
    """

    def __init__(self, variable: Variable, n_power_iterations: int, eps: float, dim: int) -> None:
        """For this variable."""
        rank = variable.type.ndim
        require_positive(n_power_iterations=n_power_iterations)
        if not require_number("eps", eps, 0.0) > 0.0:
            raise OperandError(f"eps={eps!r} must be positive")
        if isinstance(dim, bool) or dim not in range(-rank, rank):
            raise OperandError(f"dim={dim!r} is none of {rank} axes")
        self.n_power_iterations, self.eps, self.dim = n_power_iterations, eps, dim % rank
        if rank > 1:
            shape = [int(size) for size in variable.type.shape]
            rows, dtype = shape[self.dim], variable.type.dtype
            left, right = _Left(variable, self), _Right(variable, self)
            self._u = Variable("_u", (rows,), left, dtype, "statistic")
            self._v = Variable("_v", (prod(shape) // rows,), right, dtype, "statistic")

    def forward(self, weight: Tensor) -> Tensor:
        """The weight, of spectral norm 1 as far as u and v are right."""
        if weight.ndim == 1:
            return call("l2_normalize", weight, 0, self.eps)
        matrix = self.as_matrix(weight)
        v = self._v.read()
        if chosen_mode("spectral_norm"):
            held = call("stop_gradient", matrix)
            for _ in range(self.n_power_iterations):
                u, v = self.improved(held, v)
            self._u.write(u)
            self._v.write(v)
        sigma = (self._u.read() * (matrix @ v)).sum()
        return weight / sigma

    def as_matrix(self, weight: Tensor) -> Tensor:
        """``[rows, columns]``."""
        first = call("moveaxis", weight, self.dim, 0)
        return call("reshape", first, (first.shape[0], -1))

    def improved(self, matrix: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """One power iteration: ``(u, v)``."""
        u = call("l2_normalize", matrix @ v, 0, self.eps)
        return u, call("l2_normalize", matrix.T @ u, 0, self.eps)

    def describe(self) -> str:
        return f"dim={self.dim}, n_power_iterations={self.n_power_iterations}, eps={self.eps}"


class _Right:
    """An initialiser: the right singular vector of another variable's first value."""

    def __init__(self, variable: Variable, norm: SpectralNorm) -> None:
        self.variable, self.norm = variable, norm

    def __call__(self, key: Tensor, type: TensorType) -> Tensor:
        matrix = self.norm.as_matrix(self.variable.leaf)
        v = call("normal", key, type.shape).astype(type.dtype)
        for _ in range(_STARTING_ITERATIONS):
            _, v = self.norm.improved(matrix, v)
        return v


class _Left(_Right):
    """An initialiser: the left singular vector that belongs to the right one."""

    def __call__(self, key: Tensor, type: TensorType) -> Tensor:
        matrix = self.norm.as_matrix(self.variable.leaf)
        return self.norm.improved(matrix, self.norm._v.leaf)[0]
