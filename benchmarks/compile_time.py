"""How long asg takes to compile: a chain of so many nodes, its gradient, the pipeline, NumPy.

``python -m benchmarks.compile_time NODES`` measures one length in a process of its own and prints
its `Compilation` as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import process_time
from typing import TypeVar

from benchmarks.worker import peak_memory

CHAINS = (1_000, 10_000, 20_000, 100_000)
WIDTH = 8
T = TypeVar("T")


@dataclass(frozen=True)
class Compilation:
    """Seconds of each stage, of the processor: all run in one thread.

    Attributes:
        chain: nodes of the forward computation.
        nodes: of the graph with the gradient.
        build: forward nodes, by the user's Python.
        gradient: of the end by the vector that every link uses.
        pipeline: `asg.compile`, sizes still symbolic.
        program: binding sizes, the late passes, the NumPy program.
        run: the first call.
        peak_mb: the most memory of the process.
    """

    chain: int
    nodes: int
    build: float
    gradient: float
    pipeline: float
    program: float
    run: float
    peak_mb: float

    @property
    def seconds(self) -> float:
        """From nothing to the program."""
        return self.build + self.gradient + self.pipeline + self.program


def compilation(chain: int) -> Compilation:
    """Of ``h <- tanh(h + b)``, half of ``chain`` times."""
    import numpy as np

    import asg

    asg.run(asg.zeros(()))  # loads the backend

    bias = asg.parameter("b", (WIDTH,), init=0.1)

    def forward() -> asg.Tensor:
        h = asg.input("x", ("batch", WIDTH))
        for _ in range(chain // 2):
            h = asg.tanh(h + bias)
        return asg.sum(h)

    build, loss = _timed(forward)
    gradient, slope = _timed(lambda: asg.grad(loss, bias))
    graph = asg.Graph(loss=loss, slope=slope)
    pipeline, executable = _timed(lambda: asg.compile(graph))
    session = executable.start(seed=0)
    x = np.ones((4, WIDTH), np.float32)
    program, _ = _timed(lambda: session.program(x.shape))
    run, _ = _timed(lambda: session(x=x))
    nodes = len(graph.nodes)
    return Compilation(
        chain, nodes, build, gradient, pipeline, program, run, peak_memory()
    )  # fmt: skip


def _timed(function: Callable[[], T]) -> tuple[float, T]:
    start = process_time()
    result = function()
    return process_time() - start, result


def in_own_process(chain: int) -> Compilation:
    """Measured by a new process.

    Raises:
        CalledProcessError: it failed.
    """
    command = [sys.executable, "-m", "benchmarks.compile_time", str(chain)]
    compiling = {**os.environ, "ASG_COMPILE_CACHE": "off"}  # not what an earlier run has kept
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=compiling)
    return Compilation(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(compilation(int(sys.argv[1])))))
