"""sum_after_loops: recurrent networks keep their gradients, and sum nothing inside of loops."""

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.compiler.loader import load_backend
from asg.core.convert import as_tensor
from asg.core.graph import Graph, placeholder_name
from asg.core.region import with_bodies
from asg.passes.lower import lower
from asg.passes.pipeline import SUM_AFTER_LOOPS
from asg.testing.parity import evaluate


def loops(graph: Graph) -> list[Any]:
    return [n.op for part in with_bodies(graph) for n in part.nodes if n.op.name == "scan"]


def products(body: Graph) -> list[tuple[Any, ...]]:
    """The shapes of the products of matrices in a body."""
    return [node.output.shape for node in body.nodes if node.op.name == "matmul"]


def network(layer: Any, lengths: Any) -> tuple[Any, list[Any]]:
    """A loss and what to derive it by: the parameters of the layer and its input."""
    x = asg.input("x", (4, 2, 3), asg.float64)
    y, _ = layer(x) if lengths is None else layer(x, lengths=lengths)
    weights = [as_tensor(variable) for variable in layer.parameters().values()]
    return (y * y).sum() + asg.sin(y).sum(), [*weights, x]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}])
def test_gradients_of_layers(kind: Any, options: dict[str, Any]) -> None:
    layer = kind(3, 4, dtype=asg.float64, **options)
    lengths = asg.constant([4, 2]) if options else None
    loss, wrt = network(layer, lengths)
    gradients = asg.grad(loss, wrt)
    drawn = np.random.default_rng(1)
    feeds = {placeholder_name(t): drawn.normal(size=t.shape) for t in wrt}
    outputs = {f"g{i}": each for i, each in enumerate(gradients)}
    graph = Graph.of(wrt, list(outputs.values()), list(outputs))
    compiled = asg.compile(graph)
    backward = [op for op in loops(compiled.specialised([t.shape for t in wrt]))]
    sizes = [t.shape for op in backward for t in op.body.inputs[: op.carries]]
    assert set(sizes) == {(2, 4)}  # no weight, no bias
    results = compiled(*feeds.values())
    for name, value in evaluate(outputs, feeds).items():
        np.testing.assert_allclose(results[name], value, rtol=1e-11, atol=1e-12, err_msg=name)


def test_second_derivatives() -> None:
    w, x = asg.input("w", (3, 3), asg.float64), asg.input("x", (4, 2, 3), asg.float64)
    bias = asg.input("bias", (3,), asg.float64)

    def step(h: Any, e: Any) -> Any:
        after = asg.tanh(h @ w + e * bias)
        return after, (after * after).sum()

    last, y = asg.scan(step, asg.zeros((2, 3), asg.float64), x)
    first = asg.grad(last.sum() + y.sum(), [w, bias, x])
    second = asg.grad(sum((g * g).sum() for g in first), [w, bias, x])
    outputs = {f"d{i}": each for i, each in enumerate([*first, *second])}
    drawn = np.random.default_rng(2)
    feeds = {name: drawn.normal(size=t.shape) for name, t in {"w": w, "bias": bias, "x": x}.items()}
    graph = Graph.of([w, bias, x], list(outputs.values()), list(outputs))
    after = SUM_AFTER_LOOPS(lower(graph, load_backend("numpy")), [])
    assert sum(len(op.body.inputs) for op in loops(after)) < sum(
        len(op.body.inputs) for op in loops(graph)
    )
    results = asg.compile(after, pipeline=())(**feeds)
    for name, value in evaluate(outputs, feeds).items():
        np.testing.assert_allclose(results[name], value, rtol=1e-11, atol=1e-12, err_msg=name)
