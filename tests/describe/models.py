"""Graphs that the tests of documents and of pictures look at, built from plain ops and scopes."""

from collections.abc import Callable
from typing import Any

import asg
from asg.core.graph import Graph
from asg.core.origin import current_scope
from asg.core.tensor import Tensor


def linear(name: str, x: Tensor, inputs: int, outputs: int) -> Tensor:
    """A layer in a scope of its own, its parameters named as modules name them."""
    with asg.scope(name):
        path = current_scope().replace("/", ".")
        weight = asg.parameter(f"{path}.weight", (outputs, inputs), 0.1)
        bias = asg.parameter(f"{path}.bias", (outputs,), 0.0)
        return x @ weight.mT + bias


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    with asg.scope("loss"):
        return asg.square(prediction - target).mean()


def mlp_loss(layers: int = 2) -> Tensor:
    x, y = asg.input("x", ("batch", 8)), asg.input("y", ("batch", 3))
    sizes = [8, *[16] * (layers - 1), 3]
    hidden = linear("fc1", x, sizes[0], sizes[1])
    for layer in range(1, layers):
        with asg.scope("act"):
            hidden = asg.tanh(hidden)
        hidden = linear(f"fc{layer + 1}", hidden, sizes[layer], sizes[layer + 1])
    return squared_error(hidden, y)


def mlp_step(optimizer: Any = None, layers: int = 2) -> Graph:
    """Forward, gradient and update of a net of a few layers."""
    return asg.train_step(mlp_loss(layers), optimizer=optimizer or asg.optim.adamw(1e-3))


def attention(x: Tensor, size: int) -> Tensor:
    with asg.scope("attention"):
        query, key, value = (linear(name, x, size, size) for name in ("query", "key", "value"))
        with asg.scope("mix"):
            scores = asg.softmax(query @ key.mT / size**0.5)
            mixed = scores @ value
        return linear("out", mixed, size, size)


def transformer_step(blocks: int = 2, size: int = 8) -> Graph:
    x, y = asg.input("x", ("batch", "time", size)), asg.input("y", ("batch", "time", size))
    hidden = x
    for index in range(blocks):
        with asg.scope(f"block{index}"):
            hidden = hidden + attention(hidden, size)
            hidden = hidden + asg.relu(linear("ffn", hidden, size, size))
    return asg.train_step(squared_error(hidden, y), optimizer=asg.optim.sgd(0.1))


def optimized_step() -> Graph:
    """A step after the passes for NumPy: lowered, merged, rewired."""
    return asg.compile(mlp_step(), backend="numpy").optimized


def second_order() -> Graph:
    x = asg.input("x", ("n",))
    y = (asg.tanh(x) * x).sum()
    slope = asg.grad(y, x)
    return Graph(y=y, slope=slope, curvature=asg.grad((slope * slope).sum(), x))


def pulled_back() -> Graph:
    x, cotangent = asg.input("x", ("n",)), asg.input("cotangent", ("n",))
    return Graph(pulled=asg.vjp(asg.tanh(x) * x, cotangent, x))


def chain(length: int) -> Graph:
    """Many ops without any scope, and their gradient."""
    x = asg.input("x", ("n",))
    value = x
    for _ in range(length // 2):
        value = asg.tanh(value) + x
    loss = value.sum()
    return Graph(loss=loss, slope=asg.grad(loss, x))


MODELS: dict[str, Callable[[], Graph]] = {
    "mlp": mlp_step,
    "mlp with clipping": lambda: mlp_step(
        asg.optim.chain(asg.optim.clip_by_global_norm(1.0), asg.optim.sgd(0.1, momentum=0.9))
    ),
    "transformer": transformer_step,
    "optimized": optimized_step,
    "second order": second_order,
    "vjp": pulled_back,
    "chain": lambda: chain(60),
    "forward only": lambda: Graph(loss=mlp_loss()),
}
