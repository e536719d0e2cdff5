"""The description of a PyTorch checkpoint, read without running it.

PyTorch describes what it saves by a program for the stack machine of Python's object streams. Run
by Python, such a program may call any function. Here its instructions are only listed (by
`pickletools.genops`, which executes nothing) and interpreted by a machine that knows those of
numbers, texts, lists, dicts and tensors. All else is refused by name.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from asg.core.errors import FileError

_MARK = object()
_SCALARS = (str, int, float, type(None))
_LARGEST = 2**63 - 1


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """Where the numbers of a tensor are; nothing of it is checked yet.

    Attributes:
        dtype: PyTorch's name, such as "float32".
        key: the storage's record in the archive.
        count: how many elements the storage is said to have; of bytes, if ``in_bytes``.
        offset, size, stride: in elements.
    """

    dtype: str
    key: str
    count: int
    in_bytes: bool
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Storage:
    dtype: str | None  # None: bytes
    key: str
    count: int


@dataclass(frozen=True)
class _Dtype:
    name: str


@dataclass(frozen=True)
class _Builder:
    """A function of the stream that is known here, and what is done instead of calling it."""

    name: str
    build: Callable[[tuple[Any, ...]], Any]


def read_description(content: bytes) -> Any:
    """The object that ``content`` describes: nested dicts, lists, scalars and StoredTensors.

    Raises:
        FileError: damaged, or with an instruction, function or class that state dicts do not have.
    """
    machine = _Machine()
    for name, argument in _instructions(content):
        if name == "STOP":
            return machine.pop()
        run = _INSTRUCTIONS.get(name)
        if run is None:
            raise FileError(f"the description has the instruction {name}, which is not read here")
        run(machine, argument)
    raise FileError("the description ends before it is complete")


def shown(text: str) -> str:
    """A text of the file for a message: quoted, and not longer than a line."""
    return repr(text) if len(text) <= 80 else f"{text[:77]!r}..."


def _instructions(content: bytes) -> Iterator[tuple[str, Any]]:
    try:
        for code, argument, _ in pickletools.genops(content):
            yield code.name, argument
    except FileError:
        raise
    except Exception as error:  # the decoders of arguments raise whatever comes up
        raise FileError(f"the description is damaged: {error}") from None


class _Machine:
    """A stack of values with marks, and a memory of values by number."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise FileError("the description takes a value that is not there")
        return self.stack.pop()

    def top(self, kind: type, what: str) -> Any:
        """The value on top, which stays there."""
        value = self.pop()
        if not isinstance(value, kind):
            raise FileError(f"the description {what} a {type(value).__name__}")
        self.push(value)
        return value

    def pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while self.stack:
            value = self.stack.pop()
            if value is _MARK:
                values.reverse()
                return values
            values.append(value)
        raise FileError("the description takes values that are not there")


# -- instructions ------------------------------------------------------------------------------


def _push_tuple(count: int) -> Callable[[_Machine, Any], None]:
    def run(machine: _Machine, _: Any) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(values)))

    return run


def _put(machine: _Machine, place: Any) -> None:
    value = machine.pop()
    machine.push(value)
    machine.memory[len(machine.memory) if place is None else place] = value


def _get(machine: _Machine, place: Any) -> None:
    if place not in machine.memory:
        raise FileError(f"the description recalls value {place}, which it has not stored")
    machine.push(machine.memory[place])


def _append(machine: _Machine, values: list[Any]) -> None:
    machine.top(list, "appends to").extend(values)


def _set_items(machine: _Machine, values: list[Any]) -> None:
    target = machine.top(dict, "sets items of")
    if len(values) % 2:
        raise FileError("the description gives a dict a key without a value")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if not isinstance(key, _SCALARS):
            raise FileError(f"the description has a {type(key).__name__} as a key")
        target[key] = value


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


def _find(machine: _Machine, name: str) -> None:
    machine.push(_known(*name.split(" ", 1)))


def _find_on_stack(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(_known(str(module), str(name)))


def _known(module: str, name: str) -> Any:
    found = _KNOWN.get(f"{module}.{name}")
    if found is None:
        raise FileError(
            f"the description asks for {shown(f'{module}.{name}')}, which no state dict needs; "
            "nothing of it was run"
        )
    return found


def _call(machine: _Machine, _: Any) -> None:
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, _Builder) or not isinstance(arguments, tuple):
        raise FileError(f"the description calls a {type(function).__name__}")
    machine.push(function.build(arguments))


def _set_attributes(machine: _Machine, _: Any) -> None:
    """What `Module.state_dict` returns carries the versions of its modules, which are dropped."""
    attributes = machine.pop()
    machine.top(dict, "sets attributes of")
    if not isinstance(attributes, dict) or set(attributes) != {"_metadata"}:
        raise FileError("the description sets attributes of a dict")


def _load_storage(machine: _Machine, _: Any) -> None:
    match machine.pop():
        case ("storage", _Storage() as kind, str() as key, str(), int() as count):
            machine.push(_Storage(kind.dtype, key, count))
        case _:
            raise FileError("the description refers to something else than a storage")


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda machine, argument: None),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
        lambda machine, argument: machine.push(argument),
    ),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "MARK": lambda machine, _: machine.push(_MARK),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": _push_tuple(0),
    "TUPLE1": _push_tuple(1),
    "TUPLE2": _push_tuple(2),
    "TUPLE3": _push_tuple(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _get),
    "APPEND": lambda machine, _: _append(machine, [machine.pop()]),
    "APPENDS": lambda machine, _: _append(machine, machine.pop_to_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: _set_items(machine, machine.pop_to_mark()),
    "GLOBAL": _find,
    "STACK_GLOBAL": _find_on_stack,
    "REDUCE": _call,
    "BUILD": _set_attributes,
    "BINPERSID": _load_storage,
}


# -- what stands for the functions of the stream --------------------------------------------------


def _tensor(arguments: tuple[Any, ...]) -> StoredTensor:
    """Of (storage, offset, size, stride, requires_grad, hooks[, metadata])."""
    match arguments:
        case (_Storage(dtype=str() as dtype) as storage, offset, size, stride, _, _, *rest):
            return _checked_tensor(storage, dtype, offset, size, stride, rest)
        case _:
            raise FileError("the description of a tensor is damaged")


def _tensor_of_bytes(arguments: tuple[Any, ...]) -> StoredTensor:
    """Of (storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])."""
    match arguments:
        case (_Storage() as storage, offset, size, stride, _, _, _Dtype(name), *rest):
            return _checked_tensor(storage, name, offset, size, stride, rest)
        case _:
            raise FileError("the description of a tensor is damaged")


def _checked_tensor(
    storage: _Storage, dtype: str, offset: Any, size: Any, stride: Any, rest: list[Any]
) -> StoredTensor:
    if any(rest):
        raise FileError("a tensor is a lazy conjugate or negative, which is not read here")
    sizes = (offset, *_as_tuple(size), *_as_tuple(stride))
    if any(type(each) is not int or not 0 <= each <= _LARGEST for each in sizes):
        raise FileError("the offset, size and strides of a tensor must be ints from 0 to 2^63 - 1")
    return StoredTensor(dtype, storage.key, storage.count, storage.dtype is None, offset,
                        size, stride)  # fmt: skip


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple):
        raise FileError("the description of a tensor is damaged")
    return value


def _parameter(arguments: tuple[Any, ...]) -> StoredTensor:
    """Of (tensor, requires_grad, hooks)."""
    match arguments:
        case (StoredTensor() as tensor, _, _):
            return tensor
        case _:
            raise FileError("the description of a parameter is damaged")


def _dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise FileError("the description of an ordered dict is damaged")
    return {}


def _size(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    match arguments:
        case (tuple() as size,):
            return size
        case _:
            raise FileError("the description of a size is damaged")


_STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16",
    "Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8",
    "Bool": "bool", "ComplexFloat": "complex64", "ComplexDouble": "complex128",
}  # fmt: skip
_DTYPES = (
    *_STORAGES.values(), "uint16", "uint32", "uint64", "complex32", "float8_e4m3fn",
    "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2",
)  # fmt: skip
_KNOWN: dict[str, Any] = {
    "collections.OrderedDict": _Builder("OrderedDict", _dict),
    "torch.Size": _Builder("Size", _size),
    "torch._utils._rebuild_tensor_v2": _Builder("tensor", _tensor),
    "torch._utils._rebuild_tensor_v3": _Builder("tensor", _tensor_of_bytes),
    "torch._utils._rebuild_parameter": _Builder("parameter", _parameter),
    "torch.storage.UntypedStorage": _Storage(None, "", 0),
    **{f"torch.{name}Storage": _Storage(dtype, "", 0) for name, dtype in _STORAGES.items()},
    **{f"torch.{name}": _Dtype(name) for name in _DTYPES},
}
