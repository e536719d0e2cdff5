"""Variable: a named cell that a step reads and writes; the surface over pure state slots."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from asg.core.convert import as_array, as_tensor
from asg.core.dtype import float32
from asg.core.errors import OperandError, ShapeError, StateError
from asg.core.registry import call, public
from asg.core.state_slot import ROLES
from asg.core.tensor import Tensor, TensorMethods
from asg.core.types import TensorType
from asg.ops.leaf import State
from asg.state.trace import active_trace

Initialiser = Callable[[Tensor, TensorType], Tensor]
"""(key, type) -> first value, as graph; the key is uint32[2] and differs for every variable."""


class Variable(TensorMethods):
    """A named value that persists between steps.

    Used in a formula it stands for its current value. Inside a `StateTrace` (which `train_step`
    opens) ``write`` replaces that value and later reads see the new one; the trace turns reads
    and writes into inputs and outputs of one pure graph.

    Attributes:
        name: full name, such as ``fc1.weight``; modules prefix it when they are nested.
        type: dtype and (literal) shape.
        role: ``parameter``, ``statistic``, ``optimizer``, ``random_key``, ``counter``, ``metric``
            (counters of `asg.metrics`: each session has its own, and starts them again at will),
            ``data`` (examples that live on the device: never written, and never saved) or
            ``cache`` (what generating a text keeps of it: no part of a module's state dict).
        trainable: False freezes a parameter: optimizers leave it alone.
        owner: the module that names it, once it is an attribute of one.

    Raises:
        OperandError: unknown role.
        ShapeError: a symbolic size, or an initial array of another shape.
    """

    def __init__(
        self,
        name: str,
        shape: Any,
        init: Initialiser | Any,
        dtype: Any = float32,
        role: str = "parameter",
        trainable: bool = True,
    ) -> None:
        """``init`` is an array, a number, or a function of (key, type) that builds the value."""
        self.type = TensorType.of(dtype, shape if isinstance(shape, tuple | list) else (shape,))
        if role not in ROLES:
            raise OperandError(f"role {role!r} is not one of {', '.join(ROLES)}")
        if not self.type.is_static:
            raise ShapeError(f"variable {name!r} is {self.type}; variables need literal sizes")
        self.name, self.role, self.trainable = name, role, trainable
        self.owner: object | None = None
        self._init: Initialiser = init if callable(init) else _fixed(name, init, self.type)
        self.leaf: Tensor = State(self)()

    def __asg_tensor__(self) -> Tensor:
        """A variable in a formula is its current value."""
        return self.read()

    def read(self) -> Tensor:
        """The current value: the last one written in the open trace, else the leaf."""
        trace = active_trace()
        return self.leaf if trace is None else trace.read(self)

    def write(self, value: Any) -> None:
        """Replace the current value for the rest of the trace.

        Raises:
            StateError: no trace is open, or the variable holds data.
            ShapeError: the value has another type.
        """
        trace = active_trace()
        if trace is None:
            raise StateError(
                f"variable {self.name!r} is written outside a trace; build the step with "
                "asg.train_step, or open one: with asg.StateTrace() as trace: ..."
            )
        if self.role == "data":
            raise StateError(f"variable {self.name!r} holds data, which a step only reads")
        tensor = as_tensor(value)
        if tensor.type != self.type:
            raise ShapeError(f"variable {self.name!r} is {self.type}, the value is {tensor.type}")
        trace.write(self, tensor)

    def initial(self, key: Tensor) -> Tensor:
        """The first value as graph; may refer to the leaves of other variables.

        Raises:
            ShapeError: the initialiser built another type.
        """
        value = as_tensor(self._init(key, self.type))
        if value.type != self.type:
            raise ShapeError(
                f"the initialiser of {self.name!r} made {value.type}, {self.type} is declared"
            )
        return value

    def set_initial(self, value: Initialiser | Any) -> None:
        """Replace the first value (an array, a number, or an initialiser).

        Sessions that run keep what they have; those started later begin with it.

        Raises:
            ShapeError: an array of another shape.
        """
        self._init = value if callable(value) else _fixed(self.name, value, self.type)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        """Another variable with the same name, type and initialiser, and its own leaf."""
        shape, dtype = self.type.shape, self.type.dtype
        twin = Variable(self.name, shape, self._init, dtype, self.role, self.trainable)
        memo[id(self)] = twin
        twin._init = deepcopy(self._init, memo)  # it may refer to other variables
        twin.owner = deepcopy(self.owner, memo)
        return twin

    def __repr__(self) -> str:
        """``<parameter 'fc1.weight': f32[64, 64]>``."""
        frozen = "" if self.trainable or self.role != "parameter" else ", frozen"
        return f"<{self.role.replace('_', ' ')} {self.name!r}: {self.type}{frozen}>"


def _fixed(name: str, value: Any, wanted: TensorType) -> Initialiser:
    """An initialiser that always gives the same numbers."""
    listed = isinstance(value, list | tuple)  # numbers of Python take the variable's dtype
    # A copy: what the caller does to it later is no business of ours.
    array = as_array(value, wanted.dtype if listed else None).copy()
    if array.ndim and array.shape != wanted.shape:
        raise ShapeError(f"variable {name!r} is {wanted}, its initial array has {array.shape}")

    def build(key: Tensor, type: TensorType) -> Tensor:
        if array.ndim == 0:
            return call("full", type.shape, array.item(), type.dtype)
        return call("constant", array, type.dtype)

    return build


@public
def parameter(
    name: str, shape: Any, init: Initialiser | Any, dtype: Any = float32, trainable: bool = True
) -> Variable:
    """A trainable variable.

    >>> import asg
    >>> w = asg.parameter("w", (3,), init=0.5)
    >>> w
    <parameter 'w': f32[3]>
    >>> (w * 2.0).type.dtype
    asg.float32
    """
    return Variable(name, shape, init, dtype, "parameter", trainable)
