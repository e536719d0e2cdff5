"""The architectures that torchvision has are torchvision's: names, shapes, outputs, gradients.

The facts are written by scripts/torchvision_facts.py, so that the tests need neither torchvision
nor PyTorch.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError
from asg.nn import models
from tests.nn.models.fixed_weights import Array, fixed_images, fixed_weight

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("torchvision.json").read_text())
NAMES = [name for name in FACTS if name != "torchvision"]
QUICK = ("resnet18", "mobilenet_v2", "efficientnet_b0")
RESNETS = [name for name in NAMES if name.startswith("resnet")]


def quick_first(names: list[str], quick: tuple[str, ...]) -> Any:
    return [pytest.param(n, marks=[] if n in quick else [pytest.mark.slow]) for n in names]


def network(name: str) -> nn.Module:
    net: nn.Module = getattr(models, name)(dtype="float64")
    return net


@pytest.mark.parametrize("name", NAMES)
def test_names_and_shapes_are_torchvisions(name: str) -> None:
    variables = network(name).variables()
    shapes = {
        path: variable.type.shape
        for path, variable in variables.items()
        if variable.role != "random_key"
    }
    lines = "".join(f"{path} {list(shape)}\n" for path, shape in sorted(shapes.items()))
    assert len(shapes) == FACTS[name]["entries"]
    assert sha256(lines.encode()).hexdigest() == FACTS[name]["digest"]


def with_fixed_weights(name: str) -> nn.Module:
    net = network(name)
    for path, variable in net.variables().items():
        if variable.role != "random_key":
            shape = tuple(int(size) for size in variable.type.shape)
            variable.set_initial(fixed_weight(path, shape))
    return net


def assert_logits(found: Array, wanted: Any) -> None:
    np.testing.assert_allclose(found[:, :4], wanted["first"], rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(found), wanted["norm"], rtol=1e-9)


@pytest.mark.parametrize("name", quick_first(NAMES, QUICK))
def test_logits_are_torchvisions(name: str) -> None:
    net, facts = with_fixed_weights(name), FACTS[name]
    with asg.StateTrace() as trace:
        shape = ("batch", 3, facts["size"], facts["size"])
        graph = trace.close({"y": net(asg.input("x", shape, "float64"))})
    found = asg.compile(graph).start(0)(x=fixed_images(facts["size"]))
    assert_logits(found["y"], facts["evaluation"])


@pytest.mark.parametrize("name", quick_first(RESNETS, ("resnet18",)))
def test_gradients_and_statistics_are_torchvisions(name: str) -> None:
    net, facts = with_fixed_weights(name), FACTS[name]
    with asg.StateTrace(training=True) as trace:
        y = net(asg.input("x", ("batch", 3, facts["size"], facts["size"]), "float64"))
        parameters = net.parameters()
        wrt = {path: parameters[path].leaf for path in facts["gradients"]}
        graph = trace.close({"y": y, **asg.grad((y * y).sum(), wrt)})
    session = asg.compile(graph).start(0)
    found = session(x=fixed_images(facts["size"]))
    assert_logits(found["y"], facts["training"])
    for path, norm in facts["gradients"].items():
        np.testing.assert_allclose(np.linalg.norm(found[path]), norm, rtol=1e-8, err_msg=path)
    variance = session.state_dict()["bn1.running_var"].sum()
    np.testing.assert_allclose(variance, facts["running_var"], rtol=1e-9)


def test_options_of_resnets() -> None:
    wide = models.resnet50(width_per_group=128)
    assert sum(int(v.type.size) for v in wide.parameters().values()) == 68_883_240
    grouped = models.resnet50(groups=32, width_per_group=4)
    assert sum(int(v.type.size) for v in grouped.parameters().values()) == 25_028_904
    grown = models.efficientnet_b0(width_mult=1.0, depth_mult=1.1)
    assert sum(int(v.type.size) for v in grown.parameters().values()) == 7_794_184
    still = models.resnet18(width=4, num_classes=5, zero_init_residual=True)
    ends = [value for path, value in still.state_dict().items() if path.endswith("bn2.weight")]
    assert len(ends) == 8 and not any(end.any() for end in ends)
    normed = models.resnet18(width=4, norm_layer=lambda channels: nn.GroupNorm(2, channels))
    assert not normed.buffers() and "layer1.0.bn1.weight" in normed.parameters()


def test_first_values_are_scaled_by_fan_out() -> None:
    held = models.mobilenet_v2(num_classes=10).state_dict(seed=1)
    weight = held["features.18.0.weight"]  # 1280 x 320 x 1 x 1
    np.testing.assert_allclose(weight.std(), np.sqrt(2 / 1280), rtol=0.02)
    assert not held["classifier.1.bias"].any()
    np.testing.assert_allclose(held["classifier.1.weight"].std(), 0.01, rtol=0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.MLP(4, ()), "hidden_channels="),
        (lambda: models.MLP(4, (0,)), "out_features=0"),
        (lambda: models.LeNet5(num_classes=0), "out_features=0"),
        (lambda: models.VGG((1, 2)), r"stages=\(1, 2\) must have five"),
        (lambda: models.vgg11(width_mult=0), "width_mult=0"),
        (lambda: models.vgg11(batch_norm=1), "batch_norm=1"),
        (lambda: models.vgg11(dropout=2.0), "p=2.0"),
        (lambda: models.ResNet(models.BasicBlock, (1, 1)), r"layers=\(1, 1\) must have four"),
        (lambda: models.resnet18(groups=2), "BasicBlock has groups=1"),
        (lambda: models.resnet18(width=0), "width=0"),
        (lambda: models.resnet50(zero_init_residual="no"), "zero_init_residual='no'"),
        (lambda: models.mobilenet_v2(width_mult=float("inf")), "width_mult=inf"),
        (lambda: models.efficientnet_b0(depth_mult="2"), "depth_mult='2'"),
        (lambda: models.efficientnet_b0(stochastic_depth_prob=1.5), "stochastic_depth_prob=1.5"),
        (lambda: models.VAE(code_features=0), "out_features=0"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()
