"""Find y = 2 x + 1 from 100 points: slope, intercept, and how far they are from the truth.

    python examples/linear_regression.py --backend jax
"""

import argparse

import numpy as np

import asg
from asg import nn, optim

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
parser.add_argument("--epochs", type=int, default=200)
arguments = parser.parse_args()

x = np.linspace(-5.0, 5.0, 100, dtype=np.float32).reshape(-1, 1)
y = 2.0 * x + 1.0

model = asg.Model(
    nn.Linear(1, 1), "mse", optim.sgd(0.002, momentum=0.9), backend=arguments.backend
)  # fmt: skip
history = model.fit((x, y), epochs=arguments.epochs, batch_size=20)
slope, intercept = model.weights()["weight"].item(), model.weights()["bias"].item()
print(f"mean squared error {history.history['loss'][-1]:.1e}")
print(f"y = {slope:.4f} x + {intercept:.4f}")
print(f"largest error of the two numbers: {max(abs(slope - 2.0), abs(intercept - 1.0)):.1e}")
