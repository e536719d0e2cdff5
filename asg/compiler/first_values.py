"""The first values of variables: NumPy computes them, whatever the backend of the session.

The program that makes them runs once: XLA would take longer to compile it than NumPy to run it
(for a GPT of four layers 3 s against 0.1 s). Computed in one way, they are also equal to the bit
on every backend, where logarithms and cosines of others differ in their last digit.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from asg.compiler.backend import Backend, HoldingBackend
from asg.compiler.driver import Executable, compile
from asg.core.errors import UnsupportedOp
from asg.core.graph import Graph
from asg.ops.random import key_words
from asg.state.initial import init_step

Array = Any


class FirstValues:
    """Those of some variables of an executable, as a function of the seed.

    Where NumPy has no kernel for what an initialiser does, the backend of the session computes.
    """

    def __init__(self, executable: Executable, names: Collection[str]) -> None:
        """Compiles what computes them; StateError where a variable has no initialiser."""
        self._backend = executable.backend
        self._program = _compiled(init_step(executable.graph, names), self._backend)

    def __call__(self, seed: int) -> dict[str, Array]:
        """By name, as the backend holds variables."""
        return held(self._backend, self._program(key=key_words(seed)))


def first_values(executable: Executable, names: Collection[str], seed: int) -> dict[str, Array]:
    """Of the variables of these names; nothing is compiled for none."""
    return FirstValues(executable, names)(seed) if names else {}


def held(backend: Backend, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays that nobody else writes to, as the backend holds variables."""
    if not isinstance(backend, HoldingBackend):
        return dict(arrays)
    foreign = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
    return {**arrays, **backend.hold(foreign)}


def _compiled(init: Graph, backend: Backend) -> Executable:
    try:
        return compile(init)
    except UnsupportedOp:
        return compile(init, backend)
