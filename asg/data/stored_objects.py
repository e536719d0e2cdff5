"""Read the pickle files of old data sets without running what they ask for.

Python's pickle format is a program for a small stack machine that may call anything. Here, only the
operations that build dicts, lists, numbers, strings and NumPy arrays of numbers exist; all others
are refused. `pickletools.genops` takes the file apart.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from asg.core.errors import FileError

_ARRAY = {
    f"{module} _reconstruct" for module in ("numpy.core.multiarray", "numpy._core.multiarray")
}
_CLASSES = {"numpy ndarray", "numpy dtype", "_codecs encode"}
_MARK = object()


class _Class:
    """A name that the file may mention."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Dtype:
    """A dtype being described."""

    def __init__(self, code: str) -> None:
        self.code, self.order = code, "|"

    def numpy(self) -> np.dtype[Any]:
        order: Any = "=" if self.order == "|" else self.order
        found = np.dtype(self.code).newbyteorder(order)
        if found.kind not in "biuf":
            raise ValueError(f"an array of {found}")
        return found


class _Array:
    """An array whose content is not known yet."""

    array: Any = None


def read_objects(content: bytes, file: str) -> Any:
    """What a pickle file describes: dicts, lists, tuples, numbers, strings and arrays.

    Strings of Python 2 (bytes) are read as Latin-1, as numpy and torchvision do.

    Raises:
        FileError: the file is damaged, is no pickle, or asks for anything else, such as a call.

    >>> read_objects(b"(dS'a'\\nI1\\ns.", "small")
    {'a': 1}
    >>> read_objects(b"cos\\nsystem\\n(S'ls'\\ntR.", "evil")
    Traceback (most recent call last):
    asg.core.errors.FileError: evil cannot be read: it asks for 'os system'
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name == "STOP":
                return _finished(machine.stack.pop())
            machine.run(opcode.name, argument)
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise FileError(f"{file} cannot be read: {error}") from None
    raise FileError(f"{file} cannot be read: it has no end")


class _Machine:
    """The stack, the memo, and what each permitted operation does with them."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.actions: dict[str, Callable[[Any], None]] = {
            "PROTO": lambda _: None, "FRAME": lambda _: None,
            "MARK": lambda _: self.stack.append(_MARK),
            "NONE": lambda _: self.stack.append(None),
            "NEWTRUE": lambda _: self.stack.append(True),
            "NEWFALSE": lambda _: self.stack.append(False),
            "EMPTY_DICT": lambda _: self.stack.append({}),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "EMPTY_TUPLE": lambda _: self.stack.append(()),
            "DICT": lambda _: self.stack.append(_pairs(self._marked())),
            "LIST": lambda _: self.stack.append(self._marked()),
            "TUPLE": lambda _: self.stack.append(tuple(self._marked())),
            "TUPLE1": lambda _: self._tuple(1), "TUPLE2": lambda _: self._tuple(2),
            "TUPLE3": lambda _: self._tuple(3),
            "APPEND": lambda _: self._extend([self.stack.pop()]),
            "APPENDS": lambda _: self._extend(self._marked()),
            "SETITEM": lambda _: self._update(_pairs(self._last(2))),
            "SETITEMS": lambda _: self._update(_pairs(self._marked())),
            "MEMOIZE": lambda _: self._keep(len(self.memo)),
            "GLOBAL": self._class,
            "STACK_GLOBAL": lambda _: self._class(" ".join(self._last(2))),
            "REDUCE": lambda _: self._call(), "BUILD": lambda _: self._fill(),
        }  # fmt: skip
        values = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT",
                  "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE",
                  "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES")  # fmt: skip
        self.actions |= dict.fromkeys(values, self.stack.append)
        self.actions |= dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self._keep)
        self.actions |= dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self._recall)

    def run(self, name: str, argument: Any) -> None:
        """One operation."""
        if name not in self.actions:
            raise ValueError(f"it uses {name}, which data need not")
        self.actions[name](argument)

    def _keep(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _recall(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def _last(self, count: int) -> list[Any]:
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    def _tuple(self, count: int) -> None:
        self.stack.append(tuple(self._last(count)))

    def _marked(self) -> list[Any]:
        taken: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            taken.append(value)
        return taken[::-1]

    def _extend(self, values: list[Any]) -> None:
        self.stack[-1].extend(values)

    def _update(self, values: dict[Any, Any]) -> None:
        self.stack[-1].update(values)

    def _class(self, name: str) -> None:
        if name not in _ARRAY | _CLASSES:
            raise ValueError(f"it asks for {name!r}")
        self.stack.append(_Class(name))

    def _call(self) -> None:
        function, arguments = self._last(2)
        if not isinstance(function, _Class):
            raise ValueError("it calls what is no function")
        if function.name in _ARRAY:
            self.stack.append(_Array())
        elif function.name == "numpy dtype":
            self.stack.append(_Dtype(str(arguments[0])))
        elif function.name == "_codecs encode" and arguments[1] in ("latin1", "latin-1"):
            self.stack.append(arguments[0].encode("latin-1"))
        else:
            raise ValueError(f"it calls {function.name!r}")

    def _fill(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Dtype):
            target.order = str(state[1])
        elif isinstance(target, _Array):
            target.array = _array(*state[1:5])
        else:
            raise ValueError("it changes an object that is no array")


def _array(shape: tuple[int, ...], dtype: _Dtype, fortran: bool, data: Any) -> Any:
    raw = data.encode("latin-1") if isinstance(data, str) else data
    kind = dtype.numpy()
    if not isinstance(raw, bytes) or len(raw) != prod(shape) * kind.itemsize:
        raise ValueError("an array has another size than its content")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _finished(value: Any) -> Any:
    """The value with arrays in the place of their descriptions."""
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, dict):
        return {key: _finished(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_finished(each) for each in value)
    if isinstance(value, _Class | _Dtype):
        raise ValueError("it holds more than data")
    return value
