"""Recurrent layers over whole sequences: RNN, LSTM and GRU.

One scan for each layer and direction. What depends on the inputs alone is one product for all time
steps, before the scan. Sequences of several lengths in one batch are told by ``lengths``: past its
end a sequence's state stays and its outputs are zero, as with PyTorch's packed sequences.
"""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dtype import float32, int32, promote
from asg.core.errors import DtypeError, OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.cells import pair_of_states
from asg.nn.checks import require_axes, require_flags, require_positive, require_probability
from asg.nn.module import Module
from asg.nn.recurrences import (
    Elman,
    Gated,
    LongShortTerm,
    Recurrence,
    State,
    Weights,
    declare,
    fitted,
    state_like,
    weights_of,
)
from asg.ops.loops import scan
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode


class _Recurrent(Module):
    """Layers of a recurrence, one above the other, in one direction or both."""

    _names: ClassVar[tuple[str, ...]] = ("hx",)

    def _set_up(
        self, recurrence: Recurrence, input_size: int, hidden_size: int, num_layers: int,
        bias: bool, batch_first: bool, dropout: float, bidirectional: bool, dtype: Any,
        proj_size: int = 0,
    ) -> None:  # fmt: skip
        require_positive(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        require_flags(bias=bias, batch_first=batch_first, bidirectional=bidirectional)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = require_probability("dropout", dropout)
        if self.dropout and num_layers == 1:
            raise OperandError(f"dropout={dropout!r} acts between layers, and num_layers=1")
        self.proj_size = proj_size
        self.key = RandomStream()
        self._recurrence = recurrence
        directions = 2 if bidirectional else 1
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else directions * (proj_size or hidden_size)
            for suffix in self._suffixes(layer):
                declare(self, recurrence, inputs, hidden_size, proj_size=proj_size, bias=bias,
                        suffix=suffix, dtype=dtype)  # fmt: skip

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def _run(self, x: Any, state: tuple[Any, ...], lengths: Any) -> tuple[Tensor, State]:
        """The outputs and the last states, in the layout of the caller."""
        x = as_tensor(x)
        order = "batch, time" if self.batch_first else "time, batch"
        require_axes(type(self).__name__, x, ("[time, input_size]", f"[{order}, input_size]"))
        given = tuple(each if each is None else as_tensor(each) for each in state)
        if x.ndim == 2:
            whole = tuple(s if s is None else call("expand_dims", s, 1) for s in given)
            y, last = self._layers(call("expand_dims", x, 1), whole, lengths)
            return call("squeeze", y, 1), tuple(call("squeeze", each, 1) for each in last)
        if self.batch_first:
            y, last = self._layers(call("swapaxes", x, 0, 1), given, lengths)
            return call("swapaxes", y, 0, 1), last
        return self._layers(x, given, lengths)

    def _layers(
        self, x: Tensor, given: tuple[Tensor | None, ...], lengths: Any
    ) -> tuple[Tensor, State]:
        """``[time, batch, inputs]`` through all layers."""
        valid = None if lengths is None else valid_steps(x, lengths)
        states = self._first_states(x, given)
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and chosen_mode(type(self).__name__):
                x = call("dropout", x, self.dropout, self.key.next())
            outputs: list[Tensor] = []
            for suffix in self._suffixes(layer):
                state = tuple(each[len(last)] for each in states)
                y, after = _scanned(
                    self._recurrence, x, state, weights_of(self, suffix), valid,
                    reverse=suffix.endswith("_reverse"),
                )  # fmt: skip
                outputs.append(y)
                last.append(after)
            x = outputs[0] if len(outputs) == 1 else call("concat", outputs, -1)
        return x, tuple(call("stack", list(each)) for each in zip(*last, strict=True))

    def _first_states(self, x: Tensor, given: tuple[Tensor | None, ...]) -> State:
        """``[layers * directions, batch, size]`` of each; h has the size of a projection."""
        count = self.num_layers * len(self._suffixes(0))
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)
        dtype = promote(x.dtype, weights_of(self, "_l0").ih.dtype)
        return tuple(
            state_like(name, each, (count, x.shape[1], size), dtype)
            for name, each, size in zip(self._names, given, sizes, strict=False)
        )

    def describe(self) -> str:
        optional = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0,
            "bidirectional": False,
        }  # fmt: skip
        changed = {name: getattr(self, name) for name in optional}
        parts = [f"{n}={v}" for n, v in changed.items() if v != optional[n]]
        return ", ".join([f"{self.input_size}, {self.hidden_size}", *parts])


def valid_steps(x: Tensor, lengths: Any) -> Tensor:
    """bool ``[time, batch, 1]``: which steps of x ``[time, batch, ...]`` belong to a sequence.

    Raises:
        DtypeError: the lengths are not integers.
        ShapeError: they are not one for each example.
    """
    counts = fitted("lengths", as_tensor(lengths), x.shape[1:2])
    if not counts.dtype.is_integer:
        raise DtypeError(f"lengths is {counts.type}, integers are needed")
    # Narrow integers cannot count long sequences.
    steps = call("iota", x.shape[:1], 0, int32 if counts.dtype.itemsize < 4 else counts.dtype)
    return call("expand_dims", call("less", call("expand_dims", steps, 1), counts), 2)


def _scanned(
    recurrence: Recurrence, x: Tensor, state: State, weights: Weights, valid: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, State]:  # fmt: skip
    """One layer in one direction: its outputs at every step, and its last state."""

    def advance(before: State, element: Any) -> tuple[State, Tensor]:
        if valid is None:
            after = recurrence.step(element, before, weights)
            return after, after[0]
        given, counts = element
        after = recurrence.step(given, before, weights)
        kept = tuple(
            call("where", counts, new, old) for new, old in zip(after, before, strict=True)
        )
        return kept, call("where", counts, after[0], call("zeros_like", after[0]))

    rows = recurrence.inputs(x, weights)
    last, y = scan(advance, state, rows if valid is None else (rows, valid), reverse=reverse)
    return y, last


class RNN(_Recurrent):
    """``h[t] = tanh(W_ih x[t] + b_ih + W_hh h[t-1] + b_hh)``, or relu, in layers.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: of layer 0, as in `RNNCell`; those of
            the other direction end in ``_reverse``. All are uniform on +-1/sqrt(hidden_size).
        key: the random stream of dropout.

    Raises:
        OperandError: a size that is no positive int, dropout outside of [0, 1] or with one layer
            (it acts between layers), another nonlinearity.

    Source: torch.nn.RNN.

    >>> import asg
    >>> from asg import nn
    >>> y, last = nn.RNN(3, 5, num_layers=2, bidirectional=True)(asg.input("x", ("t", "n", 3)))
    >>> y.shape, last.shape
    ((Dim('t'), Dim('n'), 10), (4, Dim('n'), 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.RNN`; dropout acts on what passes between layers."""
        self.nonlinearity = nonlinearity
        self._set_up(
            Elman(nonlinearity), input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, dtype,
        )  # fmt: skip

    def forward(
        self, x: Tensor, hx: Tensor | None = None, lengths: Any = None
    ) -> tuple[Tensor, Tensor]:
        """The outputs of the last layer at every step, and the last h of every layer.

        Args:
            x: ``[time, batch, input_size]``, ``[batch, time, input_size]`` with ``batch_first``,
                or one example ``[time, input_size]``.
            hx: the first h, ``[layers * directions, batch, hidden_size]`` (no batch for one
                example); zeros when left out.
            lengths: integers ``[batch]``, how many steps of each sequence count (more than there
                are: all of them); outputs past them are zero, and last states are those at the
                end of each sequence.

        Raises:
            ShapeError, DtypeError: an operand that does not fit; names it.
        """
        y, (h,) = self._run(x, (hx,), lengths)
        return y, h


class GRU(_Recurrent):
    """Gated recurrent units in layers; the formula is that of `GRUCell`.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: of layer 0, as in `GRUCell`; those of
            the other direction end in ``_reverse``. All are uniform on +-1/sqrt(hidden_size).
        key: the random stream of dropout.

    Raises:
        OperandError: as in `RNN`.

    Source: Cho et al., https://arxiv.org/abs/1406.1078; torch.nn.GRU.

    >>> import asg
    >>> from asg import nn
    >>> x = asg.input("x", ("n", "t", 3))
    >>> y, last = nn.GRU(3, 5, batch_first=True)(x, lengths=asg.input("lengths", ("n",), "int32"))
    >>> y.shape, last.shape
    ((Dim('n'), Dim('t'), 5), (1, Dim('n'), 5))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.GRU`; dropout acts on what passes between layers."""
        self._set_up(
            Gated(), input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, dtype,
        )  # fmt: skip

    def forward(
        self, x: Tensor, hx: Tensor | None = None, lengths: Any = None
    ) -> tuple[Tensor, Tensor]:
        """As `RNN.forward`."""
        y, (h,) = self._run(x, (hx,), lengths)
        return y, h


class LSTM(_Recurrent):
    """Long short-term memory in layers; the formula is that of `LSTMCell`.

    Attributes:
        weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0: of layer 0, as in `LSTMCell`; those of
            the other direction end in ``_reverse``. All are uniform on +-1/sqrt(hidden_size).
        weight_hr_l0: ``[proj_size, hidden_size]`` with a projection: h is ``W_hr o tanh(c)``.
        key: the random stream of dropout.

    Raises:
        OperandError: as in `RNN`, and a proj_size that is not below hidden_size.

    Source: Hochreiter and Schmidhuber, https://doi.org/10.1162/neco.1997.9.8.1735; projections:
    Sak et al., https://arxiv.org/abs/1402.1128; torch.nn.LSTM.

    >>> import asg
    >>> from asg import nn
    >>> y, (h, c) = nn.LSTM(3, 5, proj_size=2)(asg.input("x", ("t", "n", 3)))
    >>> y.shape, h.shape, c.shape
    ((Dim('t'), Dim('n'), 2), (1, Dim('n'), 2), (1, Dim('n'), 5))
    """

    _names: ClassVar[tuple[str, ...]] = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.LSTM`; dropout acts on what passes between layers."""
        require_positive(hidden_size=hidden_size)
        if type(proj_size) is not int or not 0 <= proj_size < hidden_size:
            raise OperandError(
                f"proj_size={proj_size!r} must be an int from 0 (none) to below "
                f"hidden_size={hidden_size}"
            )
        self._set_up(
            LongShortTerm(), input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, dtype, proj_size,
        )  # fmt: skip

    def forward(
        self, x: Tensor, hx: tuple[Tensor, Tensor] | None = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `RNN.forward`, with two states (h, c); h has proj_size elements if that is not 0."""
        y, (h, c) = self._run(x, pair_of_states(hx), lengths)
        return y, (h, c)
