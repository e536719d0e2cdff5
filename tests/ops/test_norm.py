"""Normalisations against PyTorch, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

X = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0
WEIGHT = np.array([0.7, -1.2, 1.9, 0.4])
BIAS = np.array([0.1, 0.8, -0.3, 2.0])


def run(tensors: Any, feeds: Any, backend: str = "numpy") -> Any:
    return [np.asarray(each) for each in asg.run(tensors, feeds, backend=backend)]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_value_and_two_derivatives_as_pytorch(name: str, backend: str) -> None:
    torch = pytest.importorskip("torch")
    arrays = [X, WEIGHT, BIAS][: 3 if name == "layer_norm" else 2]
    inputs = [asg.input(f"x{i}", each.shape, "float64") for i, each in enumerate(arrays)]
    value = getattr(asg, name)(inputs[0], 4, *inputs[1:], eps=1e-3)
    first = asg.grad((value * asg.constant(np.cos(X))).sum(), inputs)
    second = asg.grad(sum((each * each).sum() for each in first), inputs[:2])
    ours = run([value, *first, *second], dict(zip(inputs, arrays, strict=True)), backend)
    tensors = [torch.tensor(each, requires_grad=True) for each in arrays]
    wanted = getattr(torch.nn.functional, name)(tensors[0], (4,), *tensors[1:], eps=1e-3)
    one = torch.autograd.grad((wanted * torch.tensor(np.cos(X))).sum(), tensors, create_graph=True)
    two = torch.autograd.grad(sum((each * each).sum() for each in one), tensors[:2])
    for found, expected in zip(ours, [wanted, *one, *two], strict=True):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-9, atol=1e-11)


def test_a_layer_is_one_box() -> None:
    x = asg.input("x", ("batch", 4))
    weight, bias = asg.input("w", (4,)), asg.input("b", (4,))
    graph = asg.Graph(y=asg.layer_norm(x, (4,), weight, bias))
    assert [node.op.name for node in graph.nodes if node.inputs] == ["layer_norm"]
    assert [node.op.operand_name(2) for node in graph.nodes if node.inputs] == ["bias"]


def test_a_bias_without_weight_is_added() -> None:
    x = asg.constant(X)
    found, plain = run([asg.layer_norm(x, 4, bias=BIAS), asg.layer_norm(x, 4)], {})
    np.testing.assert_allclose(found, plain + BIAS, rtol=1e-14)


def test_narrow_floats_are_normalised_in_float32() -> None:
    data = np.linspace(-300.0, 300.0, 64).astype(np.float16)  # squares leave float16
    x = asg.input("x", (64,), "float16")
    value = asg.layer_norm(x, 64)
    assert value.dtype is asg.float16
    found, gradient = run([value, asg.grad((value * value).sum(), x)], {x: data})
    exact = data.astype(np.float64)
    np.testing.assert_allclose(found, (exact - exact.mean()) / exact.std(), rtol=2e-3, atol=1e-3)
    assert np.isfinite(gradient).all()


def test_a_float32_weight_lifts_float16_numbers() -> None:
    x, weight = asg.input("x", (2, 4), "float16"), asg.input("w", (4,), "float32")
    assert asg.layer_norm(x, 4, weight).dtype is asg.float32


def test_wrong_arguments_are_refused() -> None:
    x = asg.input("x", ("batch", 3, 4))
    with pytest.raises(ShapeError, match=r"normalized_shape \[5\] is not how f32\[batch, 3, 4\]"):
        asg.layer_norm(x, 5)
    with pytest.raises(ShapeError, match="does not name last axes"):
        asg.layer_norm(x, ())
    with pytest.raises(ShapeError, match=r"weight f32\[3\] does not have the normalised shape"):
        asg.layer_norm(x, 4, asg.input("w", (3,)))
    with pytest.raises(ShapeError, match=r"give it the shape \[3, 4\]"):
        asg.rms_norm(x, (3, 4), asg.input("w", (4,)))
    with pytest.raises(OperandError, match="eps is -1"):
        asg.layer_norm(x, 4, eps=-1)
    with pytest.raises(DtypeError, match="a floating dtype is needed"):
        asg.rms_norm(asg.input("n", (4,), "int32"), 4)
