"""Op: one operation = one frozen dataclass. Fields are attributes, methods are its rules.

``infer`` gives the output type, ``decompose`` the meaning in other ops, ``vjp`` the gradient,
``flops`` the cost. Everything else (constructor, operand names, printing, hashing, parsing, the
picture, the contract test) is derived from the class.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, dataclass_transform

from asg.core.convert import as_operands, common_dtype
from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.explain import explain, made_by
from asg.core.graph import bodies_of, reachable_nodes
from asg.core.node import Node, next_serial
from asg.core.origin import UNKNOWN, Origin, fixed_origin
from asg.core.registry import OPS, call, op_class, snake_case
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, take_checks

if TYPE_CHECKING:
    Cotangent = Tensor | None | Callable[[], Tensor]

CATEGORIES = (
    "leaf", "elementwise", "reduce", "shape", "index", "linalg", "convolution", "random",
    "control", "activation", "norm", "attention", "loss",
)  # fmt: skip


@dataclass_transform(frozen_default=True)
class Op:
    """Base class of every op. Subclasses become frozen dataclasses and register themselves.

    Class facts:
        name: registry name, the class name in snake_case unless given.
        category: one of CATEGORIES; decides colour and shape in pictures.
        broadcasts: an elementwise op: every output element depends on the operands' elements at
            its place alone, and the output shape is the broadcast of all operands.
        promotes: the operands that are cast to their common dtype before `infer`, as a slice.
        commutative: the first two operands may be exchanged.
        differentiable: False states that the output carries no gradient to any operand.
        is_placeholder: a leaf that receives its value from outside (an input or a state).
        variadic: takes any number of operands.
        without_kernel: of a primitive that a backend may lack, what its users can do then. Empty:
            every backend has a kernel.
    """

    name: ClassVar[str] = ""
    category: ClassVar[str] = "elementwise"
    broadcasts: ClassVar[bool] = False
    promotes: ClassVar[slice | None] = None
    commutative: ClassVar[bool] = False
    differentiable: ClassVar[bool] = True
    is_placeholder: ClassVar[bool] = False
    variadic: ClassVar[bool] = False
    without_kernel: ClassVar[str] = ""
    operands: ClassVar[tuple[str, ...]] = ()
    field_names: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        """Make the subclass a frozen dataclass and register it (``abstract=True``: do not)."""
        super().__init_subclass__(**kwargs)
        if any(not name.startswith("_") for name in cls._own_annotations()):
            # Only ops with fields of their own, and without the methods that a dataclass compiles:
            # three for each of a hundred ops would be a third of what `import asg` takes.
            dataclass(init=False, repr=False, eq=False, match_args=False)(cls)
            found = fields(cls)  # type: ignore[arg-type]
            cls.field_names = tuple(field.name for field in found)
            cls._defaults = {f.name: f.default for f in found if f.default is not MISSING}
        if abstract:
            return
        if "name" not in cls.__dict__:
            cls.name = snake_case(cls.__name__)
        if cls.category not in CATEGORIES:
            raise OperandError(f"{cls.__name__}: category {cls.category!r} is not in {CATEGORIES}")
        other = OPS.get(cls.name)
        if other is not None and (other.__module__, other.__qualname__) != (
            cls.__module__, cls.__qualname__
        ):  # fmt: skip
            raise OperandError(f"two ops are named {cls.name!r}: {other} and {cls}")
        code = cls.infer.__code__
        cls.operands = code.co_varnames[1 : code.co_argcount]
        cls.variadic = bool(code.co_flags & inspect.CO_VARARGS)
        OPS[cls.name] = cls

    @classmethod
    def _own_annotations(cls) -> list[str]:
        """Annotations of this class that are not class facts."""
        own = inspect.get_annotations(cls)
        return [name for name, kind in own.items() if "ClassVar" not in str(kind)]

    def __init__(self, *values: Any, **named: Any) -> None:
        """Attributes in the order of their declaration, or by name.

        Raises:
            TypeError: an attribute is missing, unknown or given twice.
        """
        names = self.field_names
        if named or len(values) != len(names):
            values = self._completed(values, named)
        if names:
            self.__dict__.update(zip(names, values, strict=True))

    def _completed(self, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The values of all attributes, from those that are given and the defaults."""
        names = self.field_names
        given = {**self._defaults, **dict(zip(names, values, strict=False)), **named}
        overlap = values and not named.keys().isdisjoint(names[: len(values)])
        if len(given) == len(names) >= len(values) and not overlap:
            try:
                return tuple([given[name] for name in names])
            except KeyError:
                pass  # one is missing, and there is another that is not known
        raise TypeError(self._wrong(values, named, given))

    def _wrong(self, values: tuple[Any, ...], named: dict[str, Any], given: dict[str, Any]) -> str:
        names, title = self.field_names, type(self).__name__
        if len(values) > len(names):
            return f"{title} has {len(names)} attributes, {len(values)} values given"
        unknown = [name for name in named if name not in names]
        if unknown:
            return f"{title} has no attribute {unknown[0]!r}, but {', '.join(names) or 'none'}"
        missing = [name for name in names if name not in given]
        if missing:
            return f"{title} needs a value for {', '.join(missing)}"
        return f"{title} is given {next(n for n in named if n in names[: len(values)])!r} twice"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Ops never change."""
        raise FrozenInstanceError(f"cannot assign to {name!r} of {self}: ops never change")

    def __delattr__(self, name: str) -> NoReturn:
        """Ops never change."""
        raise FrozenInstanceError(f"cannot delete {name!r} of {self}: ops never change")

    def __eq__(self, other: object) -> bool:
        """The same class with equal attributes."""
        if other.__class__ is not self.__class__:
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((self.__class__, self._values()))

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self.field_names])

    # -- rules ---------------------------------------------------------------------------

    def infer(self, *operands: Any, **named: Any) -> TensorType | tuple[TensorType, ...]:
        """Output type(s) from operand types; raises TypeProblem."""
        raise NotImplementedError(f"{type(self).__name__} does not define infer")

    def decompose(self, *operands: Any, **named: Any) -> Tensor | tuple[Tensor, ...]:
        """The same value(s) in terms of other ops. Only composites define it."""
        raise NotImplementedError(f"{type(self).__name__} is a primitive")

    def settle(self, *operands: Any) -> tuple[Tensor, ...] | None:
        """What takes the place of the op as soon as sizes are numbers; None while they are not.

        Ops that define it are never seen by a backend.
        """
        raise NotImplementedError(f"{type(self).__name__} waits for no size")

    def vjp(
        self,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        cotangents: tuple[Tensor, ...],
    ) -> Sequence[Cotangent]:
        """One entry per operand: a Tensor, None (no gradient), or a function that builds it.

        Give functions when there are several operands, so that only what is asked is built.
        Shapes may still be broadcast: the driver sums them back.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradient rule")

    def wanted_vjp(
        self,
        wanted: tuple[bool, ...],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        cotangents: tuple[Tensor, ...],
    ) -> Sequence[Cotangent]:
        """What the driver calls: `vjp`, told which operands are asked for.

        Ops with bodies override it: what their gradient costs depends on the whole selection.
        """
        return self.vjp(inputs, outputs, cotangents)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Floating-point operations of one evaluation.

        Default: the sum over the decomposition; of a primitive, one per output element.
        """
        if self.has_decomposition():
            return _decomposition_flops(self, inputs)
        total: Dim = 0
        for output in outputs:
            total = total + output.size
        return total

    def own_sizes(self) -> tuple[str, ...]:
        """Names of sizes that only the bodies of this op know; it gives them numbers itself."""
        return ()

    def leaf_label(self) -> str:
        """For leaves, how messages name them (``input 'x'``); empty for computations."""
        return ""

    # -- derived -------------------------------------------------------------------------

    @classmethod
    def has_decomposition(cls) -> bool:
        """True for composites."""
        return cls.decompose is not Op.decompose

    @classmethod
    def settles(cls) -> bool:
        """True when something takes the place of the op once sizes are numbers."""
        return cls.settle is not Op.settle

    @classmethod
    def has_vjp(cls) -> bool:
        """True when the class states its own gradient."""
        return cls.vjp is not Op.vjp

    def attributes(self) -> dict[str, Any]:
        """Field names and values, in order of declaration."""
        return {name: getattr(self, name) for name in self.field_names}

    @classmethod
    def required_attributes(cls) -> list[str]:
        """Fields without a default."""
        return [name for name in cls.field_names if name not in cls._defaults]

    def operand_name(self, position: int) -> str:
        """Name of the operand at ``position`` as `infer` calls it."""
        if position < len(self.operands):
            return self.operands[position]
        return f"operand {position}"

    def __repr__(self) -> str:
        """``sum(axis=(0,), keepdims=False)``."""
        inner = ", ".join(f"{key}={value!r}" for key, value in self.attributes().items())
        return f"{self.name}({inner})" if inner else self.name

    # -- application ---------------------------------------------------------------------

    def __call__(self, *operands: Any) -> Tensor:
        """Apply an op that has one output."""
        outputs = self.apply(*operands)
        if len(outputs) != 1:
            raise OperandError(f"{self.name} has {len(outputs)} outputs; call its apply for them")
        return outputs[0]

    def apply(self, *operands: Any) -> tuple[Tensor, ...]:
        """Convert operands, infer types, make the node, return its outputs.

        Raises:
            OperandError: wrong number or kind of operands.
            ShapeError, DtypeError: the types do not fit; see core/explain.py for the message.
        """
        if not self.variadic and len(operands) != len(self.operands):
            raise OperandError(
                f"{self.name} takes {len(self.operands)} operands "
                f"({', '.join(self.operands)}), {len(operands)} given"
            )
        for operand in operands:
            if type(operand) is not Tensor:
                pattern = getattr(operand, "__asg_pattern__", None)
                if pattern is not None:
                    return (pattern(self, operands),)
        return self.applied(self._convert(operands)).outputs

    def applied(self, tensors: tuple[Tensor, ...], origin: Origin | None = None) -> Node:
        """The node on tensors that need no conversion, made here unless it has an ``origin``."""
        types, checks = self._infer(tensors)
        node = Node(self, tensors, types, checks, origin)
        if checks:
            place = made_by(node.outputs[0]).removeprefix("made by ")
            node.checks = tuple(replace(check, place=place) for check in checks)
        node.verified = not self.field_names or not bodies_of(self)  # infer has just said so
        return node

    def _convert(self, operands: tuple[Any, ...]) -> tuple[Tensor, ...]:
        tensors: tuple[Tensor, ...] = operands
        for operand in operands:
            if type(operand) is not Tensor:
                tensors = as_operands(self, operands)
                break
        if self.promotes is None:
            return tensors
        chosen = tensors[self.promotes]
        first = chosen[0].type.dtype
        for tensor in chosen:
            if tensor.type.dtype is not first:
                return self._promote(tensors)
        return tensors

    def _promote(self, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        positions = range(*self.promotes.indices(len(tensors)))  # type: ignore[union-attr]
        try:
            dtype = common_dtype([tensors[i] for i in positions])
        except TypeProblem as problem:
            raise explain(problem, self.name, self._labelled(tensors)) from None
        result = list(tensors)
        for i in positions:
            if result[i].type.dtype is not dtype:
                result[i] = call("astype", result[i], dtype)
        return tuple(result)

    def _infer(self, tensors: tuple[Tensor, ...]) -> tuple[tuple[TensorType, ...], Any]:
        take_checks()
        try:
            inferred = self.infer(*[tensor.type for tensor in tensors])
        except TypeProblem as problem:
            take_checks()
            raise explain(problem, self.name, self._labelled(tensors)) from None
        if type(inferred) is TensorType:
            return (inferred,), take_checks()
        types = inferred if isinstance(inferred, tuple) else (inferred,)
        for each in types:
            if type(each) is not TensorType:
                raise OperandError(f"infer of {self.name} returned {inferred!r}, not TensorType")
        return types, take_checks()

    def _labelled(self, tensors: tuple[Tensor, ...]) -> list[tuple[str, Tensor]]:
        return [(self.operand_name(i), tensor) for i, tensor in enumerate(tensors)]


@lru_cache(maxsize=4096)
def _decomposition_flops(op: Op, types: tuple[TensorType, ...]) -> Dim:
    """What the ops of a decomposition cost together; depth is the nesting of composites."""
    with fixed_origin(UNKNOWN):
        placeholder: Any = op_class("input")
        operands = [placeholder(f"x{i}", t.dtype, t.shape)() for i, t in enumerate(types)]
        floor = next_serial()
        made = op.decompose(*operands)
    total: Dim = 0
    for node in reachable_nodes(made if isinstance(made, tuple) else (made,), floor):
        given = tuple(tensor.type for tensor in node.inputs)
        total = total + node.op.flops(given, tuple(output.type for output in node.outputs))
    take_checks()
    return total
