"""A network that solves Burgers' equation u_t + u u_x = nu u_xx: derivatives inside the loss.

The residual holds first and second derivatives of the network by its inputs, and training takes
the gradient of that by the weights: third derivatives in all, each of them more of the same graph
(Raissi, Perdikaris and Karniadakis, 2019, https://doi.org/10.1016/j.jcp.2018.10.045). The error is
against the travelling wave u = (1 - tanh((x - t/2) / (4 nu))) / 2, which solves the equation.

    python examples/physics_informed.py --backend jax --steps 3000
"""

import argparse

import numpy as np

import asg
from asg import nn, optim

NU = 0.1


def wave(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The known solution."""
    return (0.5 - 0.5 * np.tanh((x - 0.5 * t) / (4.0 * NU))).astype(np.float32)


def residual(u: asg.Tensor, x: asg.Tensor, t: asg.Tensor) -> asg.Tensor:
    """What is left of the equation; row i of u depends on row i of x and t alone."""
    u_x, u_t = asg.grad(u.sum(), [x, t])
    u_xx = asg.grad(u_x.sum(), x)
    left: asg.Tensor = u_t + u * u_x - NU * u_xx
    return left


def points(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random x in [-1, 1] and t in [0, 1], as columns."""
    x, t = random.uniform(-1.0, 1.0, (count, 1)), random.uniform(0.0, 1.0, (count, 1))
    return x.astype(np.float32), t.astype(np.float32)


def edges(random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points at t = 0, and at x = -1 and x = 1."""
    x, t = points(random, count)
    third = count // 3
    t[:third] = 0.0
    x[third:] = np.sign(x[third:])
    return x, t


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--steps", type=int, default=600)
    arguments = parser.parse_args()

    net = nn.Sequential(
        fc1=nn.Linear(2, 24), act1=nn.Tanh(), fc2=nn.Linear(24, 24), act2=nn.Tanh(),
        fc3=nn.Linear(24, 1),
    )  # fmt: skip
    x, t = asg.input("x", ("inside", 1)), asg.input("t", ("inside", 1))
    edge_x, edge_t = asg.input("edge_x", ("edge", 1)), asg.input("edge_t", ("edge", 1))
    known, exact = asg.input("known", ("edge", 1)), asg.input("exact", ("inside", 1))
    u = net(asg.concat([x, t], axis=1))
    on_edge = net(asg.concat([edge_x, edge_t], axis=1))
    equation = asg.mean(asg.square(residual(u, x, t)))
    conditions = asg.mean(asg.square(on_edge - known))
    error = asg.sqrt(asg.mean(asg.square(u - exact)) / asg.mean(asg.square(exact)))

    step = asg.train_step(
        equation + conditions, optimizer=optim.adam(1e-2),
        metrics={"equation": equation, "conditions": conditions, "error": error},
    )  # fmt: skip
    session = asg.compile(step, backend=arguments.backend).start(seed=0)
    random = np.random.default_rng(0)
    for number in range(arguments.steps + 1):
        (inside_x, inside_t), (side_x, side_t) = points(random, 128), edges(random, 48)
        results = session(
            x=inside_x, t=inside_t, edge_x=side_x, edge_t=side_t,
            known=wave(side_x, side_t), exact=wave(inside_x, inside_t),
        )  # fmt: skip
        if number % max(1, arguments.steps // 6) == 0:
            parts = ", ".join(f"{name} {float(value):.2e}" for name, value in results.items())
            print(f"step {number}: {parts}")
    print(f"relative error against the known solution: {float(results['error']):.4f}")


if __name__ == "__main__":
    main()
