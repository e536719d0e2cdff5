"""An op of your own: its type, its gradient, its kernels, and a network that uses it.

squareplus(x) = (x + sqrt(x^2 + b)) / 2, a smooth ReLU (Barron, 2021,
https://arxiv.org/abs/2112.11687), as one op. Prints that the rule agrees with finite differences,
what the graph looks like, and the loss of a network trained with it.

    python examples/custom_op.py --backend jax
"""

import argparse
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

import asg
from asg import nn, optim


class Squareplus(asg.Op):
    """``(x + sqrt(x^2 + b)) / 2``; fields are the attributes of the op."""

    b: float = 4.0
    category: ClassVar[str] = "elementwise"

    def infer(self, x: asg.TensorType) -> asg.TensorType:
        """The type of the result from those of the operands, or an error for the user."""
        return x.require_float("x")

    def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Sequence[Any]:
        """The gradient, as more graph: dy (1 + x / sqrt(x^2 + b)) / 2."""
        (x,), (dy,) = inputs, cotangents
        return [dy * (1.0 + x / asg.sqrt(x * x + self.b)) / 2.0]


@asg.register_kernel(Squareplus, "numpy")
def squareplus_numpy(op: Squareplus, x: np.ndarray) -> Any:
    """Numbers of the operand's dtype, so that the result has it too."""
    return (x + np.sqrt(x * x + x.dtype.type(op.b))) * x.dtype.type(0.5)


@asg.register_kernel(Squareplus, "jax")
def squareplus_jax(op: Squareplus, x: Any) -> Any:
    """Called while XLA's program is made."""
    import jax.numpy as jnp

    return (x + jnp.sqrt(x * x + op.b)) * 0.5


class SquareplusLayer(nn.Module):
    """Without parameters; `nn.Sequential` takes it as any other layer."""

    def forward(self, x: asg.Tensor) -> asg.Tensor:
        return Squareplus(b=1.0)(x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    arguments = parser.parse_args()

    x = asg.input("x", (5,), dtype="float64")
    y = Squareplus()(x)
    print(asg.Graph(y=y, gradient=asg.grad(y.sum(), x)))
    at, step = np.linspace(-3.0, 3.0, 5), 1e-6
    gradient = asg.run(asg.grad(y.sum(), x), {x: at})
    difference = (asg.run(y, {x: at + step}) - asg.run(y, {x: at - step})) / (2.0 * step)
    print(f"rule against finite differences: {np.abs(gradient - difference).max():.1e}")

    points = np.linspace(-3.0, 3.0, 128, dtype=np.float32).reshape(-1, 1)
    net = nn.Sequential(fc1=nn.Linear(1, 16), act=SquareplusLayer(), fc2=nn.Linear(16, 1))
    model = asg.Model(net, "mse", optim.adam(3e-2), backend=arguments.backend)
    history = model.fit((points, np.sin(points)), epochs=100, batch_size=32)
    print(f"sin(x) by a network with it: loss {history.history['loss'][-1]:.5f}")


if __name__ == "__main__":
    main()
