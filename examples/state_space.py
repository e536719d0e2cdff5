"""A selective state-space model as one scan, and its gradient by all weights.

h[t] = decay[t] * h[t-1] + step[t] * (W_in x[t]) and y[t] = h[t] * (W_out x[t]), where step[t] =
softplus(W_step x[t]) and decay[t] = exp(-step[t]): how long the state remembers follows from the
input (Gu and Dao, 2023, https://arxiv.org/abs/2312.00752, with one state per channel).

    python examples/state_space.py --length 32768 --width 64 --checkpoint sqrt

With ``--checkpoint`` the gradient keeps the states at the starts of segments only, and computes the
steps between them again.
"""

import argparse
import sys
import time

import numpy as np

import asg

WEIGHTS = ("step", "in", "out")


def state_space(
    x: asg.Tensor, weights: dict[str, asg.Tensor], checkpoint: bool | int | str, unroll: int
) -> asg.Tensor:
    """The outputs [length, width]."""

    def advance(h: asg.Tensor, x_t: asg.Tensor) -> tuple[asg.Tensor, asg.Tensor]:
        step = asg.softplus(weights["step"] @ x_t)
        h = asg.exp(-step) * h + step * (weights["in"] @ x_t)
        return h, h * (weights["out"] @ x_t)

    start = asg.zeros(x.shape[1:])
    y: asg.Tensor = asg.scan(advance, start, x, checkpoint=checkpoint, unroll=unroll)[1]
    return y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", default="numpy", choices=["numpy", "jax"])
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--checkpoint", type=lambda word: word if word == "sqrt" else int(word),
                        default=False, help="sqrt, or the number of steps of a segment")
    parser.add_argument("--unroll", type=int, default=1, help="steps that run as one piece")
    arguments = parser.parse_args()
    length, width = arguments.length, arguments.width

    x = asg.input("x", (length, width))
    weights = {name: asg.input(name, (width, width)) for name in WEIGHTS}
    y = state_space(x, weights, arguments.checkpoint, arguments.unroll)
    loss = asg.mean(asg.square(y - asg.roll(x, 1, axis=0)))  # say what came before
    gradient = asg.grad(loss, weights)
    norm = asg.sqrt(sum(asg.sum(asg.square(part)) for part in gradient.values()))
    program = asg.compile(asg.Graph(loss=loss, norm=norm), arguments.backend)

    random = np.random.default_rng(0)
    feeds = {name: random.standard_normal((width, width)) / width**0.5 for name in WEIGHTS}
    feeds["x"] = random.standard_normal((length, width))
    feeds = {name: array.astype(np.float32) for name, array in feeds.items()}
    for run in ("first run", "second run"):
        began = time.perf_counter()
        results = {name: float(value) for name, value in program(**feeds).items()}
        print(f"{run}: {time.perf_counter() - began:.2f} s")
    print(f"{length} steps of {width}: loss {results['loss']:.5f}, "
          f"gradient norm {results['norm']:.5f}")  # fmt: skip
    assert np.isfinite(results["norm"])
    if sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"peak memory {peak / (2**20 if sys.platform == 'darwin' else 2**10):.0f} MiB")


if __name__ == "__main__":
    main()
