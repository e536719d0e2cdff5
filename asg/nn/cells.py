"""Recurrent cells: one step of a recurrent layer, for loops of your own."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.nn.checks import require_axes, require_flags, require_positive
from asg.nn.module import Module
from asg.nn.recurrences import (
    Elman,
    Gated,
    LongShortTerm,
    Recurrence,
    State,
    declare,
    state_like,
    weights_of,
)
from asg.state.variable import Variable

_LAYOUTS = ("[input_size]", "[batch, input_size]")


class _Cell(Module):
    """Parameters, first state and one step of a recurrence."""

    weight_ih: Variable
    weight_hh: Variable
    bias_ih: Variable
    bias_hh: Variable
    _names: ClassVar[tuple[str, ...]] = ("hx",)

    def _set_up(
        self, recurrence: Recurrence, input_size: int, hidden_size: int, bias: bool, dtype: Any
    ) -> None:
        require_positive(input_size=input_size, hidden_size=hidden_size)
        require_flags(bias=bias)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self._recurrence = recurrence
        declare(self, recurrence, input_size, hidden_size, bias=bias, dtype=dtype)

    def _stepped(self, x: Tensor, state: tuple[Any, ...]) -> State:
        x = as_tensor(x)
        require_axes(type(self).__name__, x, _LAYOUTS)
        weights = weights_of(self)
        given = self._recurrence.inputs(x, weights)
        shape = (*x.shape[:-1], self.hidden_size)
        before = tuple(
            state_like(name, each if each is None else as_tensor(each), shape, given.dtype)
            for name, each in zip(self._names, state, strict=True)
        )
        return self._recurrence.step(given, before, weights)

    def describe(self) -> str:
        bias = "" if self.bias else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}"


class RNNCell(_Cell):
    """``h' = tanh(W_ih x + b_ih + W_hh h + b_hh)``, or relu.

    Attributes:
        weight_ih: ``[hidden_size, input_size]``, uniform on +-1/sqrt(hidden_size), as are all.
        weight_hh: ``[hidden_size, hidden_size]``.
        bias_ih, bias_hh: ``[hidden_size]``; missing without bias.

    Raises:
        OperandError: a size that is no positive int, another nonlinearity.

    Source: torch.nn.RNNCell.

    >>> import asg
    >>> from asg import nn
    >>> nn.RNNCell(3, 5, nonlinearity="relu")(asg.input("x", ("n", 3))).shape
    (Dim('n'), 5)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.RNNCell`."""
        self.nonlinearity = nonlinearity
        self._set_up(Elman(nonlinearity), input_size, hidden_size, bias, dtype)

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        """x ``[(batch, )input_size]`` and h ``[(batch, )hidden_size]`` (zeros) to the next h."""
        return self._stepped(x, (hx,))[0]

    def describe(self) -> str:
        other = f", nonlinearity={self.nonlinearity}" if self.nonlinearity != "tanh" else ""
        return super().describe() + other


class GRUCell(_Cell):
    """A gated recurrent unit: ``h' = (1 - z) n + z h``.

    ``r`` and ``z`` are sigmoids of ``W_ih x + b_ih + W_hh h + b_hh``, and
    ``n = tanh(W_in x + b_in + r (W_hn h + b_hn))``.

    Attributes:
        weight_ih: ``[3 * hidden_size, input_size]``, rows of r, z, n; uniform on
            +-1/sqrt(hidden_size), as are all.
        weight_hh: ``[3 * hidden_size, hidden_size]``.
        bias_ih, bias_hh: ``[3 * hidden_size]``; missing without bias.

    Source: Cho et al., https://arxiv.org/abs/1406.1078; torch.nn.GRUCell.

    >>> from asg import nn
    >>> sum(parameter.type.size for parameter in nn.GRUCell(3, 5).parameters().values())
    150
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = float32
    ) -> None:
        """Arguments as `torch.nn.GRUCell`."""
        self._set_up(Gated(), input_size, hidden_size, bias, dtype)

    def forward(self, x: Tensor, hx: Tensor | None = None) -> Tensor:
        """x ``[(batch, )input_size]`` and h ``[(batch, )hidden_size]`` (zeros) to the next h."""
        return self._stepped(x, (hx,))[0]


class LSTMCell(_Cell):
    """A long short-term memory: ``c' = f c + i g`` and ``h' = o tanh(c')``.

    ``i``, ``f`` and ``o`` are sigmoids, ``g`` is a tanh, each of
    ``W_ih x + b_ih + W_hh h + b_hh``.

    Attributes:
        weight_ih: ``[4 * hidden_size, input_size]``, rows of i, f, g, o; uniform on
            +-1/sqrt(hidden_size), as are all.
        weight_hh: ``[4 * hidden_size, hidden_size]``.
        bias_ih, bias_hh: ``[4 * hidden_size]``; missing without bias.

    Source: Hochreiter and Schmidhuber, https://doi.org/10.1162/neco.1997.9.8.1735;
    torch.nn.LSTMCell.

    >>> import asg
    >>> from asg import nn
    >>> h, c = nn.LSTMCell(3, 5)(asg.input("x", ("n", 3)))
    >>> h.shape, c.shape
    ((Dim('n'), 5), (Dim('n'), 5))
    """

    _names: ClassVar[tuple[str, ...]] = ("h", "c")

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = float32
    ) -> None:
        """Arguments as `torch.nn.LSTMCell`."""
        self._set_up(LongShortTerm(), input_size, hidden_size, bias, dtype)

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """x ``[(batch, )input_size]`` and (h, c) of ``[(batch, )hidden_size]`` to the next two."""
        h, c = self._stepped(x, pair_of_states(hx))
        return h, c


def pair_of_states(hx: Any) -> tuple[Any, Any]:
    """The two states of an LSTM: (h, c), or None for zeros.

    Raises:
        OperandError: something else.
    """
    if hx is None:
        return None, None
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise OperandError(f"hx={hx!r} must be the two states (h, c), or None for zeros")
    return hx[0], hx[1]
