"""Mamba: a sequence layer made of a selective state-space model."""

from __future__ import annotations

from math import ceil, log
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.nn.checks import require_axes, require_flags, require_number, require_positive
from asg.nn.convolution import Conv1d
from asg.nn.init import constant, ones, uniform
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.nn.recurrences import state_like
from asg.nn.state_space import selective_scan
from asg.state.variable import Initialiser, Variable

States = tuple[Tensor, Tensor]


class Mamba(Module):
    """A gated selective state-space model: ``out_proj(ssm(silu(conv1d(u))) silu(z))``.

    ``u, z = in_proj(x)``; ``ssm`` is ``selective_scan`` with ``A = -exp(A_log)`` plus ``D`` times
    its input, and delta, B and C are projections of its input by ``x_proj`` (delta by ``dt_proj``
    and softplus as well). With ``i = expand * d_model``:

    Attributes:
        in_proj: Linear from d_model to 2 i.
        conv1d: causal, each channel by itself: weight ``[i, 1, d_conv]``.
        x_proj: Linear from i to dt_rank + 2 d_state, without bias.
        dt_proj: Linear from dt_rank to i; its bias is such that delta is between dt_min and
            dt_max at first, spread evenly on a logarithmic scale.
        A_log: ``[i, d_state]``, at first log(1), ..., log(d_state) in every row.
        D: ``[i]``, ones at first.
        out_proj: Linear from i to d_model.

    Raises:
        OperandError: an argument out of range.

    Source: Gu and Dao, https://arxiv.org/abs/2312.00752, with the names and defaults of the
    authors' implementation, https://github.com/state-spaces/mamba.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.Mamba(8, d_state=4)
    >>> layer(asg.input("x", ("n", "t", 8))).shape
    (Dim('n'), Dim('t'), 8)
    >>> layer
    Mamba(8, d_state=4, d_conv=4, expand=2, dt_rank=1)
      in_proj: Linear(8, 32, bias=False)
      conv1d: Conv1d(16, 16, kernel_size=(4,), stride=(1,), groups=16)
      x_proj: Linear(16, 9, bias=False)
      dt_proj: Linear(1, 16, bias=True)
      out_proj: Linear(16, 8, bias=False)
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: float = 2,
        dt_rank: int | str = "auto",
        dt_min: float = 0.001,
        dt_max: float = 0.1,
        dt_init: str = "random",
        dt_scale: float = 1.0,
        dt_init_floor: float = 1e-4,
        conv_bias: bool = True,
        bias: bool = False,
        dtype: Any = float32,
    ) -> None:
        """Arguments as the authors'; ``dt_rank="auto"`` is d_model / 16, rounded up."""
        require_positive(d_model=d_model, d_state=d_state, d_conv=d_conv)
        require_flags(conv_bias=conv_bias, bias=bias)
        self.d_model, self.d_state, self.d_conv, self.expand = d_model, d_state, d_conv, expand
        self.d_inner = inner = int(require_number("expand", expand, 1.0 / d_model) * d_model)
        self.dt_rank = rank = ceil(d_model / 16) if dt_rank == "auto" else dt_rank
        if isinstance(rank, str):
            raise OperandError(f"dt_rank={dt_rank!r} must be 'auto' or a positive int")
        require_positive(dt_rank=rank)
        self.in_proj = Linear(d_model, 2 * inner, bias, dtype)
        self.conv1d = Conv1d(inner, inner, d_conv, groups=inner, bias=conv_bias, dtype=dtype)
        self.x_proj = Linear(inner, rank + 2 * d_state, False, dtype)
        spread = _dt_weight(dt_init, rank**-0.5 * require_number("dt_scale", dt_scale, 0.0))
        self.dt_proj = Linear(rank, inner, True, dtype, spread)
        self.dt_proj.bias = Variable("bias", inner, _dt_bias(dt_min, dt_max, dt_init_floor), dtype)
        self.A_log = Variable("A_log", (inner, d_state), _log_counts, dtype)
        self.D = Variable("D", inner, ones(), dtype)
        self.out_proj = Linear(inner, d_model, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, time, d_model]`` to the same.

        Raises:
            ShapeError: another layout.
        """
        return self.step(x)[0]

    def step(self, x: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        """The outputs of the next steps of sequences that have come to ``state``.

        A sequence in parts, down to single steps, gives what it gives at once.

        Args:
            x: ``[batch, time, d_model]``, of any number of steps.
            state: as returned by the part before; None at the beginning.

        Returns:
            Outputs like x, and the state: the last ``d_conv - 1`` inputs of the convolution
            ``[batch, i, d_conv - 1]``, and h ``[batch, i, d_state]``.

        Raises:
            OperandError, ShapeError, DtypeError: an operand that does not fit; names it.

        >>> import asg
        >>> from asg import nn
        >>> layer, x = nn.Mamba(8), asg.input("x", ("n", 5, 8))
        >>> first, state = layer.step(x[:, :4])
        >>> last, (inputs, h) = layer.step(x[:, 4:], state)
        >>> last.shape, inputs.shape, h.shape
        ((Dim('n'), 1, 8), (Dim('n'), 16, 3), (Dim('n'), 16, 16))
        """
        x = as_tensor(x)
        require_axes("Mamba", x, ("[batch, time, d_model]",))
        inputs, h = _pair(state)
        u, gate = call("split", self.in_proj(x), 2, -1)
        shape = (x.shape[0], self.d_inner, self.d_conv - 1)
        before = state_like("the convolution's state", inputs, shape, u.dtype)
        columns = call("concat", [before, call("swapaxes", u, 1, 2)], -1)
        after = columns[:, :, columns.shape[2] - (self.d_conv - 1) :]
        u = call("silu", self.conv1d(columns))
        y, h = self._selected(call("permute_dims", u, (2, 0, 1)), h)
        y = call("swapaxes", y, 0, 1) * call("silu", gate)
        return self.out_proj(y), (after, h)

    def _selected(self, u: Tensor, h: Tensor | None) -> States:
        """The state-space model on ``[time, batch, i]``."""
        sizes = (self.dt_rank, self.d_state, self.d_state)
        delta, b, c = call("split", self.x_proj(u), sizes, -1)
        delta = call("softplus", self.dt_proj(delta))
        y, h = selective_scan(u, delta, -call("exp", self.A_log), b, c, h)
        return y + u * self.D, h

    def describe(self) -> str:
        names = ("d_state", "d_conv", "expand", "dt_rank")
        return ", ".join([str(self.d_model), *(f"{n}={getattr(self, n)}" for n in names)])


def _pair(state: Any) -> tuple[Tensor | None, Tensor | None]:
    if state is None:
        return None, None
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise OperandError(f"state={state!r} must be what `step` returned, or None")
    return as_tensor(state[0]), as_tensor(state[1])


# -- first values ------------------------------------------------------------------------------


def _dt_weight(dt_init: str, std: float) -> Initialiser:
    if dt_init not in ("random", "constant"):
        raise OperandError(f"dt_init={dt_init!r} must be 'random' or 'constant'")
    if std == 0.0:
        raise OperandError("dt_scale=0 must be positive")
    return uniform(-std, std) if dt_init == "random" else constant(std)


def _dt_bias(dt_min: float, dt_max: float, floor: float) -> Initialiser:
    """The inverse of softplus, at steps spread evenly on a logarithmic scale."""
    low, high = require_number("dt_min", dt_min, 0.0), require_number("dt_max", dt_max, 0.0)
    floor = require_number("dt_init_floor", floor, 0.0)
    if not 0.0 < low <= high:
        raise OperandError(f"dt_min={dt_min!r} must be positive and at most dt_max={dt_max!r}")

    def build(key: Tensor, type: TensorType) -> Tensor:
        spread = call("uniform", key, type.shape) * (log(high) - log(low)) + log(low)
        steps = call("maximum", call("exp", spread), floor)
        return (steps + call("log", -call("expm1", -steps))).astype(type.dtype)

    return build


def _log_counts(key: Tensor, type: TensorType) -> Tensor:
    return call("log", call("iota", type.shape, 1).astype(type.dtype) + 1.0)
