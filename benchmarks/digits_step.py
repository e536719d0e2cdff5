"""Time one training step of the digits classifier on asg, hand-written JAX and PyTorch.

64-64-10 ReLU, batch 64, softmax cross-entropy, Adam lr 1e-3, float32, four resident batches
cycled, the loss read back at every step. The peers take turns in short rounds in one process
whose order is reversed every other round; medians and ratios are printed. Peers that are not
installed are left out, and say so.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

BATCH, FEATURES, HIDDEN, CLASSES, RATE = 64, 64, 64, 10, 1e-3
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Batch = tuple[np.ndarray, np.ndarray]
Step = Callable[[int], float]
Weights = dict[str, np.ndarray]


def make_batches(seed: int = 0) -> list[Batch]:
    """Four batches of random images and labels."""
    random = np.random.default_rng(seed)
    return [
        (
            random.random((BATCH, FEATURES), dtype=np.float32),
            random.integers(0, CLASSES, BATCH).astype(np.int32),
        )
        for _ in range(4)
    ]


def make_weights(seed: int = 1) -> Weights:
    """One set of first values for every peer."""
    random = np.random.default_rng(seed)
    sizes = {"fc1": (HIDDEN, FEATURES), "fc2": (CLASSES, HIDDEN)}
    weights: Weights = {}
    for name, (rows, columns) in sizes.items():
        bound = columns**-0.5
        weights[f"{name}.weight"] = random.uniform(-bound, bound, (rows, columns)).astype("f4")
        weights[f"{name}.bias"] = random.uniform(-bound, bound, rows).astype("f4")
    return weights


def asg_step(backend: str, batches: list[Batch], weights: Weights) -> Step:
    """The compiled step of asg."""
    import asg
    from asg import nn, optim

    net = nn.Sequential(
        fc1=nn.Linear(FEATURES, HIDDEN), act=nn.ReLU(), fc2=nn.Linear(HIDDEN, CLASSES)
    )
    step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(RATE))
    graph = step(images=("batch", FEATURES), labels=(("batch",), "int32"))
    session = asg.compile(graph, backend=backend).start(seed=0, state=weights)

    def run(position: int) -> float:
        images, labels = batches[position % len(batches)]
        return float(session(images=images, labels=labels)["loss"])

    return run


def jax_step(batches: list[Batch], weights: Weights) -> Step:
    """A step written by hand, jitted with donated state."""
    import jax
    import jax.numpy as jnp

    def loss_of(parameters, images, labels):  # type: ignore[no-untyped-def]
        hidden = jax.nn.relu(images @ parameters["fc1.weight"].T + parameters["fc1.bias"])
        logits = hidden @ parameters["fc2.weight"].T + parameters["fc2.bias"]
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)
        return -chosen.mean()

    def update(state, images, labels):  # type: ignore[no-untyped-def]
        parameters, first, second, count = state
        loss, gradients = jax.value_and_grad(loss_of)(parameters, images, labels)
        count = count + 1
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        scale1, scale2 = 1 - BETA1**count, 1 - BETA2**count
        parameters = jax.tree.map(
            lambda p, m, v: p - RATE * (m / scale1) / (jnp.sqrt(v / scale2) + EPSILON),
            parameters, first, second,
        )  # fmt: skip
        return (parameters, first, second, count), loss

    compiled = jax.jit(update, donate_argnums=0)
    start = {name: jnp.array(value) for name, value in weights.items()}
    zeros = [{name: jnp.zeros_like(v) for name, v in start.items()} for _ in range(2)]
    holder = [(start, zeros[0], zeros[1], jnp.float32(0))]

    def run(position: int) -> float:
        images, labels = batches[position % len(batches)]
        holder[0], loss = compiled(holder[0], images, labels)
        return float(loss)

    return run


def torch_step(batches: list[Batch], weights: Weights) -> Step:
    """PyTorch, eager."""
    import torch

    net = torch.nn.Sequential()
    net.add_module("fc1", torch.nn.Linear(FEATURES, HIDDEN))
    net.add_module("act", torch.nn.ReLU())
    net.add_module("fc2", torch.nn.Linear(HIDDEN, CLASSES))
    net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    resident = [(torch.tensor(x), torch.tensor(y).long()) for x, y in batches]

    def run(position: int) -> float:
        images, labels = resident[position % len(resident)]
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return run


def peers(batches: list[Batch], weights: Weights) -> dict[str, Step]:
    """Every peer that is installed, by name."""
    makers: dict[str, Callable[[], Step]] = {
        "asg numpy": lambda: asg_step("numpy", batches, weights),
        "asg jax": lambda: asg_step("jax", batches, weights),
        "jax.jit by hand": lambda: jax_step(batches, weights),
        "PyTorch eager": lambda: torch_step(batches, weights),
    }
    found: dict[str, Step] = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name}: left out, {error}")
    return found


def check_losses(steps: dict[str, Step], count: int = 5) -> None:
    """Equal work first: the first losses of all peers agree to 1e-4."""
    losses = {name: [step(i) for i in range(count)] for name, step in steps.items()}
    reference = next(iter(losses.values()))
    for name, found in losses.items():
        if not np.allclose(found, reference, rtol=1e-4):
            raise SystemExit(f"{name} computes something else: {found} against {reference}")
    print("first losses of all peers agree:", ", ".join(f"{loss:.6f}" for loss in reference))


def measure(steps: dict[str, Step], rounds: int, calls: int) -> dict[str, float]:
    """Median seconds per step, peers interleaved, order reversed every other round."""
    samples: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds):
        order = list(steps) if number % 2 == 0 else list(reversed(steps))
        for name in order:
            step = steps[name]
            step(0)
            start = time.perf_counter()
            for position in range(calls):
                step(position)
            samples[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(times) for name, times in samples.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--calls", type=int, default=100, help="steps per round and peer")
    options = parser.parse_args()
    steps = peers(make_batches(), make_weights())
    check_losses(steps)
    medians = measure(steps, options.rounds, options.calls)
    base = medians.get("PyTorch eager") or next(iter(medians.values()))
    print(f"{platform.machine()}, Python {platform.python_version()}, batch {BATCH}")
    for name, seconds in medians.items():
        print(f"{name:16} {seconds * 1e6:8.1f} us/step   ratio {seconds / base:5.2f}")


if __name__ == "__main__":
    main()
