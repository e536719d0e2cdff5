"""The recurrences of recurrent networks: how a state follows from the one before and an input.

Each splits its work in two: what depends on the inputs alone, which is one product for all steps,
and the step itself. Cells (asg/nn/cells.py) take one step, layers (asg/nn/recurrent.py) scan.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar, NamedTuple

from asg.core.convert import as_tensor
from asg.core.dim import known_equal
from asg.core.dtype import DType
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.nn.init import uniform
from asg.nn.module import Module
from asg.ops.shape import AssumeShape, shape_text
from asg.state.variable import Variable

State = tuple[Tensor, ...]


class Weights(NamedTuple):
    """The parameters of one layer and direction, by PyTorch's names.

    Attributes:
        ih, hh: ``[gates * hidden, inputs]`` and ``[gates * hidden, size of h]``, gates stacked.
        bias_ih, bias_hh: ``[gates * hidden]``; None without bias.
        hr: ``[size of h, hidden]``, the projection of h; None without.
    """

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None = None
    bias_hh: Tensor | None = None
    hr: Tensor | None = None


class Recurrence:
    """``state[t] = step(inputs(x)[t], state[t - 1])``.

    Attributes:
        gates: how many blocks of ``hidden`` rows the weights have.
        states: how many tensors are carried; the first is h, which is also the output.
    """

    gates: ClassVar[int]
    states: ClassVar[int] = 1

    def inputs(self, x: Tensor, weights: Weights) -> Tensor:
        """``[..., inputs]`` to ``[..., gates * hidden]``: all that steps need of x."""
        product = call("matmul", x, weights.ih.T)
        if weights.bias_ih is None or weights.bias_hh is None:
            return product
        return product + (weights.bias_ih + weights.bias_hh)

    def step(self, given: Tensor, state: State, weights: Weights) -> State:
        """The next state, from a row of `inputs` and the state."""
        raise NotImplementedError(type(self).__name__)


class Elman(Recurrence):
    """``h' = f(W_ih x + b_ih + W_hh h + b_hh)`` with f tanh or relu; Elman, 1990."""

    gates: ClassVar[int] = 1

    def __init__(self, nonlinearity: str) -> None:
        """``"tanh"`` or ``"relu"``."""
        if nonlinearity not in ("tanh", "relu"):
            raise OperandError(f"nonlinearity={nonlinearity!r} must be 'tanh' or 'relu'")
        self.nonlinearity = nonlinearity

    def step(self, given: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        return (call(self.nonlinearity, given + call("matmul", h, weights.hh.T)),)


class LongShortTerm(Recurrence):
    """The gates i, f, g, o: ``c' = f c + i g`` and ``h' = o tanh(c')``, projected if asked.

    i, f and o are sigmoids, g is a tanh, each of ``W_ih x + b_ih + W_hh h + b_hh``.
    """

    gates: ClassVar[int] = 4
    states: ClassVar[int] = 2

    def step(self, given: Tensor, state: State, weights: Weights) -> State:
        h, c = state
        i, f, g, o = call("split", given + call("matmul", h, weights.hh.T), 4, -1)
        c = call("sigmoid", f) * c + call("sigmoid", i) * call("tanh", g)
        h = call("sigmoid", o) * call("tanh", c)
        return (h if weights.hr is None else call("matmul", h, weights.hr.T)), c


class Gated(Recurrence):
    """The gates r, z, n: ``n = tanh(W_in x + b_in + r (W_hn h + b_hn))``, ``h' = (1-z) n + z h``.

    r and z are sigmoids of ``W_ih x + b_ih + W_hh h + b_hh``. The bias b_hn is under r, so the
    biases of h are added in each step.
    """

    gates: ClassVar[int] = 3

    def inputs(self, x: Tensor, weights: Weights) -> Tensor:
        product = call("matmul", x, weights.ih.T)
        return product if weights.bias_ih is None else product + weights.bias_ih

    def step(self, given: Tensor, state: State, weights: Weights) -> State:
        (h,) = state
        product = call("matmul", h, weights.hh.T)
        if weights.bias_hh is not None:
            product = product + weights.bias_hh
        given_r, given_z, given_n = call("split", given, 3, -1)
        r, z, n = call("split", product, 3, -1)
        r, z = call("sigmoid", given_r + r), call("sigmoid", given_z + z)
        n = call("tanh", given_n + r * n)
        return (n + z * (h - n),)


# -- parameters and states of modules ---------------------------------------------------------


def declare(
    module: Module, recurrence: Recurrence, input_size: int, hidden_size: int, *,
    proj_size: int = 0, bias: bool = True, suffix: str = "", dtype: Any,
) -> None:  # fmt: skip
    """Give the module the parameters of one layer and direction, ``weight_ih{suffix}`` and so on.

    All are uniform on +-1/sqrt(hidden_size), as PyTorch's.
    """
    rows = recurrence.gates * hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "weight_ih": (rows, input_size), "weight_hh": (rows, proj_size or hidden_size),
    }  # fmt: skip
    if bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if proj_size:
        shapes["weight_hr"] = (proj_size, hidden_size)
    bound = 1.0 / sqrt(hidden_size)
    for name, shape in shapes.items():
        full = f"{name}{suffix}"
        setattr(module, full, Variable(full, shape, uniform(-bound, bound), dtype))


def weights_of(module: Module, suffix: str = "") -> Weights:
    """The current values of what `declare` has made."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    found = (getattr(module, f"{name}{suffix}", None) for name in names)
    return Weights(*(v if v is None else as_tensor(v) for v in found))  # type: ignore[arg-type]


def state_like(name: str, given: Tensor | None, shape: Shape, dtype: DType) -> Tensor:
    """The state that was given, with sizes spelled as in ``shape``; zeros when none was.

    Raises:
        ShapeError: the state has other sizes.
        DtypeError: it has another dtype.
    """
    if given is None:
        return call("zeros", shape, dtype)
    if given.dtype != dtype:
        raise DtypeError(f"{name} is {given.type}, but the layer computes in {dtype}; cast it")
    return fitted(name, given, shape)


def fitted(name: str, given: Tensor, shape: Shape) -> Tensor:
    """The tensor with its sizes spelled as in ``shape``; what is undecided is checked when it runs.

    Raises:
        ShapeError: the sizes differ.
    """
    if given.ndim != len(shape) or any(
        known_equal(size, wanted) is False for size, wanted in zip(given.shape, shape, strict=True)
    ):
        raise ShapeError(f"{name} is {given.type}, but {shape_text(shape)} is needed")
    return given if given.shape == shape else AssumeShape(shape)(given)
