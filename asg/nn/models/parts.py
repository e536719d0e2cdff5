"""What the transformers of the zoo share: heads, masks of keys, activations by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asg.core.convert import as_tensor
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_number, require_positive, require_probability

# The words of Hugging Face's configurations: the function, and its options.
_ACTIVATIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "relu": ("relu", {}),
    "gelu": ("gelu", {}),
    "gelu_new": ("gelu", {"approximate": "tanh"}),
    "gelu_pytorch_tanh": ("gelu", {"approximate": "tanh"}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "tanh": ("tanh", {}),
}


def activation_named(argument: str, name: str) -> Callable[[Tensor], Tensor]:
    """The function that a configuration calls ``name``.

    Raises:
        OperandError: an unknown one.
    """
    if name not in _ACTIVATIONS:
        raise OperandError(f"{argument}={name!r} is not one of {', '.join(_ACTIVATIONS)}")
    function, options = _ACTIVATIONS[name]
    return lambda x: call(function, x, **options)


def require_fields(
    config: object, *, positive: Sequence[str] = (), rates: Sequence[str] = (),
    numbers: Sequence[str] = (), flags: Sequence[str] = (),
) -> None:  # fmt: skip
    """Named attributes are ints >= 1, rates in [0, 1], numbers >= 0, True or False.

    Raises:
        OperandError: one is not.
    """
    require_positive(**{name: getattr(config, name) for name in positive})
    require_flags(**{name: getattr(config, name) for name in flags})
    for name in rates:
        require_probability(name, getattr(config, name))
    for name in numbers:
        require_number(name, getattr(config, name), 0.0)


def require_multiple(config: object, many: str, few: str) -> None:
    """One attribute is a multiple of another.

    Raises:
        OperandError: it is not.
    """
    size, divisor = getattr(config, many), getattr(config, few)
    if size % divisor:
        raise OperandError(f"{many}={size} is not a multiple of {few}={divisor}")


def split_heads(x: Tensor, heads: int) -> Tensor:
    """``[..., time, features]`` to ``[..., heads, time, features / heads]``."""
    features = x.shape[-1]
    split = x.reshape((*x.shape[:-1], heads, features // heads))
    swapped: Tensor = call("swapaxes", split, -3, -2)
    return swapped


def merge_heads(x: Tensor) -> Tensor:
    """The inverse of `split_heads`."""
    merged = call("swapaxes", x, -3, -2)
    result: Tensor = merged.reshape((*merged.shape[:-2], merged.shape[-2] * merged.shape[-1]))
    return result


def require_tokens(model: str, tokens: Any) -> Tensor:
    """Integers ``[batch, time]``.

    Raises:
        ShapeError: another number of axes.
        DtypeError: not integers.
    """
    given = as_tensor(tokens)
    if given.ndim != 2:
        raise ShapeError(f"{model} takes tokens [batch, time], given {given.type}")
    if not given.dtype.is_integer:
        raise DtypeError(f"{model} takes integers as tokens, given {given.type}")
    return given


def mask_of_keys(mask: Any) -> Tensor | None:
    """``[batch, time]``, nonzero where a token may be seen, as bool ``[batch, 1, 1, time]``.

    Raises:
        ShapeError: another number of axes.
        DtypeError: neither bool nor integers.
    """
    if mask is None:
        return None
    seen = as_tensor(mask)
    if seen.ndim != 2:
        raise ShapeError(f"attention_mask is {seen.type}; it must be [batch, time]")
    if seen.dtype.is_float:
        raise DtypeError(f"attention_mask is {seen.type}; give bools or integers, 1 may be seen")
    seen = seen if seen.dtype.is_bool else call("not_equal", seen, 0)
    return call("expand_dims", seen, (1, 2))
