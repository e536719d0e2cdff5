"""Writes tests/nn/models/torchvision.json: what torchvision's models are, for a test without it.

In an environment of its own, from the root of the checkout:

    python -m venv /tmp/tv && /tmp/tv/bin/pip install torch torchvision
    /tmp/tv/bin/python scripts/torchvision_facts.py

For each model: the number of its parameters, the digest of the names and shapes of its state dict,
and with the weights of tests/nn/models/fixed_weights.py in float64 the first logits of two images,
in evaluation (and in training where nothing is random: with the sizes of some gradients of the sum
of squared logits, and of a running variance).
"""

import json
import sys
from hashlib import sha256
from pathlib import Path

import torch
import torchvision

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.nn.models.fixed_weights import fixed_images, fixed_weight

SIZES = {"vgg11": 32, "vgg11_bn": 32, "vgg16": 32, "vgg16_bn": 32}
NAMES = [*SIZES, "resnet18", "resnet34", "resnet50", "mobilenet_v2", "efficientnet_b0"]
TARGET = Path(__file__).resolve().parents[1] / "tests/nn/models/torchvision.json"


def digest(shapes):
    lines = "".join(f"{name} {list(shape)}\n" for name, shape in sorted(shapes.items()))
    return sha256(lines.encode()).hexdigest()


def facts(name):
    model = getattr(torchvision.models, name)().double()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    found = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "entries": len(shapes),
        "digest": digest(shapes),
        "size": SIZES.get(name, 64),
    }
    model.load_state_dict({k: torch.tensor(fixed_weight(k, s)) for k, s in shapes.items()})
    x = torch.tensor(fixed_images(found["size"]))
    with torch.no_grad():
        found["evaluation"] = numbers(model.eval()(x))
    if name.startswith("resnet"):
        y = model.train()(x)
        (y * y).sum().backward()
        found["training"] = numbers(y)
        found["gradients"] = {
            key: p.grad.norm().item()
            for key, p in model.named_parameters()
            if key in ("conv1.weight", "layer2.0.bn1.weight", "layer4.1.conv2.weight", "fc.bias")
        }
        found["running_var"] = model.bn1.running_var.sum().item()
    return found


def numbers(logits):
    return {"first": logits[:, :4].tolist(), "norm": logits.norm().item()}


if __name__ == "__main__":
    torch.manual_seed(0)
    table = {"torchvision": torchvision.__version__.split("+")[0]}
    table |= {name: facts(name) for name in NAMES}
    TARGET.write_text(json.dumps(table, indent=1) + "\n")
