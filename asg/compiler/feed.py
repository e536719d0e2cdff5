"""Arrays a caller gives: which input each belongs to, and whether its dtype fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import numpy as np

from asg.core.dtype import as_dtype
from asg.core.errors import AsgError, FeedError
from asg.core.tensor import Tensor, TensorMethods
from asg.core.types import TensorType

Array = Any


class FeedOrder:
    """Puts the arrays of a call in the order of the inputs; what can be known before is.

    Classes of arrays that needed no conversion are remembered: the next of them is only asked for
    its dtype.
    """

    def __init__(self, inputs: Mapping[str, Tensor]) -> None:
        """For inputs by name."""
        self._inputs = inputs
        self._names = tuple(inputs)
        self._dtypes = [(name, tensor.type.dtype.numpy) for name, tensor in inputs.items()]
        self._ready: set[type] = {np.ndarray}

    def __call__(self, args: Sequence[Any], named: Mapping[str, Any]) -> list[Array]:
        """One array per input, in order, given by position or by name.

        Raises:
            FeedError: lists what is missing and what is unexpected, with close names; or an array
                has not the dtype of its input.
        """
        given = named if not args else self._with_names(args, named)
        if len(given) != len(self._names):
            self._refuse_names(given)
        arrays = []
        for name, dtype in self._dtypes:
            if name not in given:
                self._refuse_names(given)
            array = given[name]
            if type(array) not in self._ready or array.dtype != dtype:
                array = self._converted(name, array)
            arrays.append(array)
        return arrays

    def _with_names(self, args: Sequence[Any], named: Mapping[str, Any]) -> dict[str, Any]:
        names = self._names
        if len(args) > len(names):
            raise FeedError(f"{len(args)} arrays given for {len(names)} inputs: {', '.join(names)}")
        given = dict(zip(names, args, strict=False))
        doubled = sorted(given.keys() & named.keys())
        given.update(named)
        if doubled:
            self._refuse_names(given, doubled)
        return given

    def _converted(self, name: str, value: Any) -> Array:
        array = checked_feed(name, value, self._inputs[name].type)
        if array is value:
            self._ready.add(type(array))
        return array

    def _refuse_names(self, given: Mapping[str, Any], doubled: Sequence[str] = ()) -> NoReturn:
        inputs = self._inputs
        problems = [f"{name!r} is given twice, by position and by name" for name in doubled]
        problems += [f"{n!r}: {t.type} is missing" for n, t in inputs.items() if n not in given]
        for name in given:
            if name not in inputs:
                close = get_close_matches(name, list(inputs), 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                problems.append(f"{name!r} is not an input{hint}")
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise FeedError(f"inputs do not match:\n{listed}\n  inputs: {', '.join(inputs) or 'none'}")


def checked_feed(name: str, value: Any, declared: TensorType) -> Array:
    """``value`` as an array of the declared dtype; shapes are the binder's business.

    Python numbers and nested lists are converted; arrays must have the declared dtype exactly,
    since a silent cast could lose what the caller meant.

    Raises:
        FeedError: not an array, or another dtype.
    """
    if isinstance(value, bool | int | float | list | tuple) and not isinstance(value, np.generic):
        return _from_python(name, value, declared)
    if isinstance(value, TensorMethods):
        raise FeedError(f"{name!r} was fed a symbolic tensor; feed numbers: asg.run computes them")
    if not isinstance(getattr(value, "dtype", None), np.dtype):  # NumPy's and JAX's arrays have one
        value = _as_array(name, value)
    if value.dtype != declared.dtype.numpy:
        raise FeedError(
            f"{name!r} has dtype {value.dtype}, declared {declared}; "
            f"convert it: {name}.astype('{declared.dtype.name}')"
        )
    return np.asarray(value) if isinstance(value, np.generic) else value


def _as_array(name: str, value: Any) -> Array:
    for protocol, convert in (("__dlpack__", np.from_dlpack), ("__array__", np.asarray)):
        if hasattr(value, protocol):
            try:
                return convert(value)
            except (BufferError, RuntimeError, TypeError, ValueError) as error:
                raise FeedError(f"{name!r} cannot become a NumPy array: {error}") from error
    try:
        return np.asarray(memoryview(value))
    except TypeError:
        raise FeedError(
            f"{name!r} was fed {type(value).__name__}; feed an array, a number or nested lists"
        ) from None


def _from_python(name: str, value: Any, declared: TensorType) -> Array:
    try:
        array = np.asarray(value)
        kind = as_dtype(array.dtype) if array.size else declared.dtype
    except (ValueError, AsgError) as error:
        raise FeedError(f"{name!r} cannot become an array: {error}") from None
    ranks = {"bool": 0, "uint": 1, "int": 1, "float": 2}
    if ranks[kind.kind] > ranks[declared.dtype.kind]:
        raise FeedError(
            f"{name!r} holds {kind.kind} values, declared {declared}; convert them yourself"
        )
    converted = array.astype(declared.dtype.numpy)
    if declared.dtype.is_integer and array.size and not np.array_equal(converted, array):
        raise FeedError(f"{name!r} holds integers that do not fit {declared.dtype.name}")
    return converted
