"""Examples in the forms that other libraries give them, as dicts of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.draws import Batch


def named_example(example: Any, names: Sequence[str]) -> Batch:
    """One example as a dict of arrays.

    Raises:
        OperandError: no dict, and no names or another number of them.
    """
    if isinstance(example, Mapping):
        chosen = names or list(example)
        missing = [name for name in chosen if name not in example]
        if missing:
            raise OperandError(f"an example has {', '.join(example)}, but no {', '.join(missing)}")
        return {str(name): _array(name, example[name]) for name in chosen}
    values = list(example) if isinstance(example, list | tuple) else [example]
    if len(values) != len(names):
        raise OperandError(
            f"an example is {type(example).__name__} of {len(values)}, names={tuple(names)!r}; "
            "give one name for each entry: names=('images', 'labels')"
        )
    return {name: _array(name, value) for name, value in zip(names, values, strict=True)}


def stacked(examples: Sequence[Batch]) -> Batch:
    """Examples of equal names and shapes as one batch.

    Raises:
        OperandError: none, or the first that differs from the one before.
    """
    if not examples:
        raise OperandError("there is no example")
    first = {name: array.shape for name, array in examples[0].items()}
    for number, example in enumerate(examples):
        shapes = {name: array.shape for name, array in example.items()}
        if shapes != first:
            raise OperandError(
                f"example {number} of the batch has {_text(shapes)}, the first has {_text(first)}\n"
                "  repair: pad them: DataLoader(..., collate=asg.data.pad_batch)"
            )
    return {name: np.stack([example[name] for example in examples]) for name in first}


def _array(name: Any, value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype == object:
        raise OperandError(f"{name}: {type(value).__name__} is no array of numbers")
    return array


def _text(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
