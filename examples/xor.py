"""XOR by a network of 2-8-1: the loss after 1,000 steps and what the network answers.

    python examples/xor.py --backend jax
"""

import argparse

import numpy as np

import asg
from asg import nn, optim

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
parser.add_argument("--steps", type=int, default=1000)
arguments = parser.parse_args()

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
y = np.array([[0], [1], [1], [0]], np.float32)

net = nn.Sequential(
    hidden=nn.Linear(2, 8), relu=nn.ReLU(), out=nn.Linear(8, 1), sigmoid=nn.Sigmoid()
)  # fmt: skip
model = asg.Model(
    net,
    loss=lambda answer, wanted: asg.sum(asg.square(answer - wanted)),
    optimizer=optim.sgd(0.5, momentum=0.9),
    backend=arguments.backend,
)
for _ in range(arguments.steps):
    loss = model.train_on_batch(x, y)["loss"]
print(f"loss {loss:.1e}")
for (a, b), answer in zip(x, model.predict(x)[:, 0], strict=True):
    print(f"{a:.0f} xor {b:.0f} = {answer:.4f}")
