"""Formulas written out against the ops they are taken for, and near misses, which keep values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.tensor import Tensor
from asg.passes.pipeline import RECOGNISE, SIMPLIFY, STABILISE, Pass

RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((3, 8)) * 2.0
Numbers = dict[str, float]
"""What a formula below may be given wrong."""

RIGHT: Numbers = {
    "one": 1.0, "half": 0.5, "axis": 1, "scale": 1.0, "power": 2, "root": math.sqrt(0.5),
    "cubic": 0.044715, "slope": math.sqrt(2 / math.pi), "zero": 0.0, "correction": 0,
}  # fmt: skip


def rows(x: Tensor, reduce: Any, given: Numbers) -> Tensor:
    result: Tensor = reduce(x, axis=int(given["axis"]), keepdims=True)
    return result


def softmax(x: Tensor, given: Numbers) -> Tensor:
    raised = asg.exp(x - rows(x, asg.max, given))
    return raised / rows(asg.exp((x - asg.max(x, axis=1, keepdims=True)) * given["scale"]),
                         asg.sum, RIGHT)  # fmt: skip


def log_softmax(x: Tensor, given: Numbers) -> Tensor:
    off = x - rows(x, asg.max, given)
    return off - asg.log(rows(asg.exp(off * given["scale"]), asg.sum, RIGHT))


def logsumexp(x: Tensor, given: Numbers) -> Tensor:
    top = rows(x, asg.max, RIGHT)
    total = asg.log(rows(asg.exp(x - top), asg.sum, RIGHT))
    return total + rows(x * given["scale"], asg.max, RIGHT)


def sigmoid(x: Tensor, given: Numbers) -> Tensor:
    return 1.0 / (given["one"] + asg.exp(-x))


def sigmoid_by_tanh(x: Tensor, given: Numbers) -> Tensor:
    return (asg.tanh(x * given["half"]) + given["one"]) * 0.5


def silu(x: Tensor, given: Numbers) -> Tensor:
    return x / (given["one"] + asg.exp(-x * given["scale"]))


def gelu(x: Tensor, given: Numbers) -> Tensor:
    return given["half"] * x * (given["one"] + asg.erf(x * given["root"]))


def gelu_by_tanh(x: Tensor, given: Numbers) -> Tensor:
    inner = given["slope"] * (x + given["cubic"] * x**3)
    return given["half"] * x * (given["one"] + asg.tanh(inner))


def softplus(x: Tensor, given: Numbers) -> Tensor:
    return asg.maximum(x, given["zero"]) + asg.log1p(asg.exp(-asg.abs(x * given["scale"])))


def layer_norm(x: Tensor, given: Numbers) -> Tensor:
    off = x - rows(x, asg.mean, given)
    spread = asg.var(x, axis=1, keepdims=True, correction=given["correction"])
    return off / asg.sqrt(spread * given["scale"] + 1e-5)


def rms_norm(x: Tensor, given: Numbers) -> Tensor:
    square = asg.abs(x) ** given["power"] if given["power"] != 2 else x**2
    return x * (rows(square, asg.mean, given) + 1e-5) ** -0.5


def attention(x: Tensor, given: Numbers) -> Tensor:
    scores = (x @ asg.sin(x).T) * 0.25 * given["scale"]
    return asg.softmax(scores, axis=1 - int(given["axis"] != 1)) @ x


Formula = Callable[[Tensor, Numbers], Tensor]
NAMES: dict[Formula, str] = {
    softmax: "softmax",
    log_softmax: "log_softmax",
    logsumexp: "logsumexp",
    sigmoid: "sigmoid",
    sigmoid_by_tanh: "sigmoid",
    silu: "silu",
    gelu: "gelu",
    gelu_by_tanh: "gelu",
    softplus: "softplus",
    layer_norm: "layer_norm",
    rms_norm: "rms_norm",
    attention: "scaled_dot_product_attention",
}


def recognised(graph: asg.Graph) -> asg.Graph:
    passes: tuple[Pass, ...] = (SIMPLIFY, STABILISE, RECOGNISE)
    for step in passes:
        graph = step(graph, [])
    return graph


def value_of(graph: asg.Graph) -> Any:
    with asg.configure(without=("recognise", "stabilise")):
        return np.asarray(asg.compile(graph)(x=X)["y"])


@pytest.mark.parametrize("formula", NAMES, ids=lambda formula: formula.__name__)
def test_a_formula_is_recognised_with_its_value_and_slope_as_in_pytorch(formula: Formula) -> None:
    torch: Any = pytest.importorskip("torch")
    f = torch.nn.functional
    t = torch.tensor(X, requires_grad=True)
    torch_functions: dict[Formula, Callable[[], Any]] = {
        softmax: lambda: f.softmax(t, 1),
        log_softmax: lambda: f.log_softmax(t, 1),
        logsumexp: lambda: torch.logsumexp(t, 1, keepdim=True),
        sigmoid: lambda: torch.sigmoid(t),
        sigmoid_by_tanh: lambda: torch.sigmoid(t),
        silu: lambda: f.silu(t),
        gelu: lambda: f.gelu(t),
        gelu_by_tanh: lambda: f.gelu(t, approximate="tanh"),
        softplus: lambda: f.softplus(t),
        layer_norm: lambda: f.layer_norm(t, (8,)),
        rms_norm: lambda: f.rms_norm(t, (8,), eps=1e-5),
        attention: lambda: f.scaled_dot_product_attention(t, torch.sin(t), t, scale=0.25),
    }
    theirs = torch_functions[formula]()
    x = asg.input("x", (3, 8), "float64")
    y = formula(x, RIGHT)
    assert NAMES[formula] in {node.op.name for node in recognised(asg.Graph(y=y)).nodes}
    graph = asg.Graph(y=y, slope=asg.grad((y * y).sum(), x))
    result = asg.compile(graph)(x=X)
    (wanted,) = torch.autograd.grad((theirs * theirs).sum(), t)
    np.testing.assert_allclose(result["y"], theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(result["slope"], wanted.numpy(), rtol=1e-9, atol=1e-10)


WRONG: Numbers = {
    "one": 1.01, "half": 0.51, "axis": 0, "scale": 0.9, "power": 3, "root": 0.7071,
    "cubic": 0.0447, "slope": 0.7979, "zero": 0.1, "correction": 1,
}  # fmt: skip


@pytest.mark.parametrize("formula", NAMES, ids=lambda formula: formula.__name__)
def test_a_near_miss_keeps_its_value(formula: Formula) -> None:
    """One number after the other is wrong: whatever is made of the formula says the same."""
    x = asg.input("x", (3, 8), "float64")
    for name, number in WRONG.items():
        graph = asg.Graph(y=formula(x, {**RIGHT, name: number}))
        found = value_of(recognised(graph))
        np.testing.assert_allclose(found, value_of(graph), rtol=1e-9, atol=1e-12, err_msg=name)


def test_what_overflowed_on_the_way_is_finite_and_has_a_slope() -> None:
    x = asg.input("x", (2,))
    raised = asg.exp(x)
    y = raised / asg.sum(raised, axis=0, keepdims=True)
    program = asg.compile(asg.Graph(y=y, slope=asg.grad(y[0], x)))
    result = program(x=np.array([1000.0, 1000.0], np.float32))
    assert result["y"].tolist() == [0.5, 0.5] and result["slope"].tolist() == [0.25, -0.25]


def test_gradients_of_composites_are_not_taken_for_the_composites_themselves() -> None:
    """Differentiating gelu through its decomposition meets the formula of gelu; it ends."""
    x = asg.input("x", (3, 8), "float64")
    given = {x: X}
    for formula, op in ((gelu, asg.gelu), (silu, asg.silu)):
        written, named = (asg.grad(asg.grad(y.sum(), x).sum(), x)
                          for y in (formula(x, RIGHT), op(x)))  # fmt: skip
        np.testing.assert_allclose(asg.run(written, given), asg.run(named, given), atol=1e-12)
