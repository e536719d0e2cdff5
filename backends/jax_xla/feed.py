"""Arrays on their way into a compiled program: private copies, and errors that name the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from asg.core.dtype import DType
from asg.core.errors import AsgError, ConfigError, FeedError, StateError
from asg.core.graph import Graph

_ALIGNMENT = 64  # bytes; from this alignment on XLA:CPU reads host memory in place
_WORTH_ALIGNING = 1 << 16  # bytes; below, a second copy by XLA costs less than aligning ours


def private_copy(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A C-contiguous array equal to ``array`` that nobody else can write to.

    JAX runs asynchronously and reads NumPy memory after the call has returned: a caller who
    refills their batch array at once would change the step that is still running. A read-only
    array that owns its memory is private already and is not copied.
    """
    if not array.flags.writeable and array.base is None:
        return array
    if array.nbytes < _WORTH_ALIGNING:
        return np.array(array, order="C")
    buffer = np.empty(array.nbytes + _ALIGNMENT, np.uint8)
    start = -buffer.__array_interface__["data"][0] % _ALIGNMENT
    aligned = buffer[start : start + array.nbytes]
    copy: np.ndarray[Any, Any] = aligned.view(array.dtype).reshape(array.shape)
    np.copyto(copy, array)
    return copy


class Gate:
    """Lets arrays of any kind into a program: JAX arrays as they are, all others as copies.

    Attributes:
        array_class: the one class of concrete JAX arrays; making it known starts JAX's runtime.
    """

    def __init__(self, graph: Graph, donated: Iterable[int]) -> None:
        """For the inputs of ``graph``, of which those at ``donated`` are consumed by a call."""
        self.array_class = type(jax.device_put(np.zeros((), np.float32)))
        self._names = graph.input_names
        self._types = tuple(tensor.type for tensor in graph.inputs)
        self._donated = frozenset(donated)
        self._dtypes = [each.dtype.numpy for each in self._types]

    def admitted(self, inputs: Sequence[Any]) -> list[Any]:
        """The inputs as JAX arrays or private NumPy arrays.

        Raises:
            FeedError: wrong number of arrays, something that is no array, or another dtype.
        """
        if len(inputs) != len(self._names):
            raise self._miscounted(inputs)
        known = self.array_class
        return [
            array if type(array) is known else self._from_elsewhere(position, array)
            for position, array in enumerate(inputs)
        ]

    def _from_elsewhere(self, position: int, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            value = _as_array(self._names[position], value)
            if isinstance(value, jax.Array):
                return value
        # Without this JAX would narrow float64 to float32 in silence.
        if value.dtype != self._dtypes[position]:
            raise self._misfit(position, value)
        return private_copy(value)

    def problem(self, inputs: Sequence[Any]) -> AsgError | None:
        """Why a program refused ``inputs``, with the input at fault by name; None if they fit."""
        if len(inputs) != len(self._names):
            return self._miscounted(inputs)
        if jax.config.values["jax_disable_jit"]:
            return ConfigError(
                "jax_disable_jit is set, but graphs run as compiled programs; "
                "call this one inside `with jax.disable_jit(False):`"
            )
        for position, array in enumerate(inputs):
            expected = self._types[position]
            if array.dtype != self._dtypes[position] or tuple(array.shape) != expected.shape:
                return self._misfit(position, array)
        return self._consumed(inputs)

    def _miscounted(self, inputs: Sequence[Any]) -> FeedError:
        names = ", ".join(self._names)
        return FeedError(f"{len(inputs)} arrays given for {len(self._names)} inputs: {names}")

    def _misfit(self, position: int, array: Any) -> FeedError:
        name, expected = self._names[position], self._types[position]
        sizes = ", ".join(map(str, array.shape))
        advice = _cast_advice(name, expected.dtype) if array.dtype != expected.dtype.numpy else ""
        return FeedError(f"{name!r} is {array.dtype}[{sizes}], compiled for {expected}{advice}")

    def _consumed(self, inputs: Sequence[Any]) -> AsgError | None:
        first: dict[int, int] = {}
        for position, array in enumerate(inputs):
            if not isinstance(array, jax.Array) or isinstance(array, jax.core.Tracer):
                continue
            if array.is_deleted():
                return StateError(
                    f"{self._names[position]!r} was given an array that an earlier step consumed; "
                    "go on with the array which that step returned"
                )
            other = first.setdefault(id(array), position)
            if other != position and {position, other} & self._donated:
                return StateError(
                    f"{self._names[other]!r} and {self._names[position]!r} were given one array, "
                    "but the step consumes it; pass a copy for one of them: array.copy()"
                )
        return None


def _as_array(name: str, value: Any) -> Any:
    """A JAX or NumPy array from a tracer or what speaks DLPack or the NumPy protocol."""
    if isinstance(value, jax.core.Tracer):
        return value
    if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        # Ready before we return, since the owner may write to the memory at once.
        return jnp.array(jax.dlpack.from_dlpack(value), copy=True).block_until_ready()
    if hasattr(value, "__array__"):
        return np.asarray(value)
    raise FeedError(f"{name!r} was fed {type(value).__name__}, which is not an array")


def _cast_advice(name: str, dtype: DType) -> str:
    return f"; convert it: {name}.astype('{dtype.name}')"
