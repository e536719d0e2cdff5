"""Going on with texts: what a language model keeps of them, so that a new token costs one step.

Texts of different lengths stand in one array of columns, shorter ones behind padding: row b begins
at column ``padding[b]``, and all texts end in the same column. A new column is then one number for
all rows, and its tokens stand at position ``column - padding``.

Kept values are tensors whose axis 0 are the rows, so that whoever goes on with several candidates
can copy and reorder them by `take`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from asg.core.dim import Dim
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.tree import flatten, map_tree
from asg.ops.loops import scan

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]


class Decoder(Protocol):
    """A language model that can go on with texts it has seen; `asg.generate` asks for this.

    Attributes:
        longest_text: the most tokens a text may have; None for any number.
    """

    @property
    def longest_text(self) -> int | None:
        """See the class."""

    def first_cache(self, rows: int, columns: int) -> Any:
        """What is kept of ``rows`` empty texts that may come to ``columns`` columns.

        A nest of tensors; axis 0 of each are the rows.
        """

    def decode(
        self, tokens: Tensor, cache: Any, past: Tensor, padding: Tensor
    ) -> tuple[Tensor, Any]:
        """The logits ``[rows, vocabulary]`` after the last of the new tokens, and the next cache.

        Args:
            tokens: integers ``[rows, time]``, the next columns. Those in front of a text are any
                tokens; the last column belongs to every text.
            cache: what was kept of the columns before.
            past: how many columns that are, an integer scalar.
            padding: how many columns stand in front of each text, integers ``[rows]``.
        """


@dataclass
class KeyValues:
    """Keys and values of all columns of one attention layer, while a step is built.

    Attributes:
        keys: ``[rows, heads, columns, features]``.
        values: the same.
        past: how many columns are filled.
    """

    keys: Tensor
    values: Tensor
    past: Tensor

    def extended(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the next columns written behind; all keys and all values.

        Raises:
            ShapeError: more new columns than there are.
        """
        start = (0, 0, self.past, 0)
        self.keys = call("dynamic_update_slice", self.keys, keys, start)
        self.values = call("dynamic_update_slice", self.values, values, start)
        return self.keys, self.values


def visible_columns(past: Tensor, time: Dim, columns: Dim, padding: Tensor) -> Tensor:
    """bool ``[rows, 1, time, columns]``: what each new token may see, itself and its text before.

    >>> import asg
    >>> mask = visible_columns(asg.constant(1), 2, 4, asg.constant([0, 1]))
    >>> asg.run(mask[:, 0]).astype(int).tolist()
    [[[1, 1, 0, 0], [1, 1, 1, 0]], [[0, 1, 0, 0], [0, 1, 1, 0]]]
    """
    column = call("iota", (time, columns), 1)
    not_ahead = call("less_equal", column, call("iota", (time, columns), 0) + past)
    of_text = call("greater_equal", column, call("expand_dims", padding, (1, 2)))
    return call("expand_dims", call("logical_and", not_ahead, of_text), 1)


def text_positions(past: Tensor, time: Dim, padding: Tensor, longest: int) -> Tensor:
    """int32 ``[rows, time]``: where in their texts the new tokens stand, 0 in front of them."""
    column = call("iota", (time,)) + past
    return call("clip", column - call("expand_dims", padding, 1), 0, longest - 1)


def stepwise(
    step: Step, tokens: Tensor, state: Any, past: Tensor, padding: Tensor
) -> tuple[Tensor, Any]:
    """`Decoder.decode` of a recurrent model, token by token; padding leaves the state as it is.

    Args:
        step: from tokens ``[rows, 1]`` and a state to logits ``[rows, 1, vocabulary]`` and the next
            state; axis 0 of all its tensors are the rows.
        tokens, state, past, padding: as of `Decoder.decode`.
    """
    if tokens.shape[1] != 1:
        columns = call("swapaxes", tokens[:, :-1], 0, 1)
        of_text = call("greater_equal", call("iota", columns.shape, 0) + past, padding)

        def advance(before: Any, column: tuple[Tensor, Tensor]) -> tuple[Any, None]:
            token, valid = column
            after = step(call("expand_dims", token, 1), before)[1]
            return _chosen(valid, after, before), None

        state, _ = scan(advance, state, (columns, of_text))
    logits, after = step(tokens[:, -1:], state)
    return logits[:, 0], after


def _chosen(valid: Tensor, after: Any, before: Any) -> Any:
    """Rows of ``after`` where valid, else those of ``before``."""
    old = iter(flatten(before).values())

    def merged(new: Tensor) -> Tensor:
        rows = call("expand_dims", valid, tuple(range(1, new.ndim)))
        kept: Tensor = call("where", rows, new, next(old))
        return kept

    return map_tree(merged, after)
