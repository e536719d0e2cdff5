"""RandomStream: a key variable that is split at every use, so that no key is used twice."""

from __future__ import annotations

from asg.core.dtype import uint32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.state.variable import Variable


class RandomStream:
    """Fresh random keys inside a step.

    Attributes:
        key: the variable; its first value follows from the seed and its name.
    """

    def __init__(self, name: str = "key") -> None:
        """``name`` is prefixed by the modules that hold the stream, as any variable's."""
        self.key = Variable(name, (2,), _own_key, uint32, role="random_key")

    def next(self) -> Tensor:
        """A key nobody else has; the stream moves on (needs an open trace)."""
        keys = call("split_key", self.key.read(), 2)
        self.key.write(keys[0])
        return keys[1]


def _own_key(key: Tensor, type: TensorType) -> Tensor:
    return key
