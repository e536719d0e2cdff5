"""The peers by name: which library each needs, and which function makes its step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.networks import Deep, Dense, Elementwise, Relu, Stack, Transformer
from benchmarks.workload import Step, Workload


def anything(workload: Workload) -> bool:
    """Every workload."""
    return True


def images(workload: Workload) -> bool:
    """Workloads whose examples are images."""
    return isinstance(workload.network, Stack) and workload.network.convolves


def without_dropout(workload: Workload) -> bool:
    """Workloads whose step draws no random numbers."""
    return not (isinstance(workload.network, Transformer) and workload.network.dropout)


def dense(workload: Workload) -> bool:
    """Workloads of dense layers, and the elementwise one."""
    network = workload.network
    if isinstance(network, Stack):
        return all(isinstance(layer, Dense | Relu) for layer in network.layers)
    return isinstance(network, Deep | Elementwise)


@dataclass(frozen=True)
class Peer:
    """One program for every workload.

    Attributes:
        module: of `benchmarks.peers`, with a function ``make(workload, **options)``.
        library: what must be installed.
        options: of ``make``.
        runs: which workloads it has a program for.
        also: further modules that are imported, as the library is, before anything is timed.
    """

    module: str
    library: str
    options: Mapping[str, Any] = field(default_factory=dict)
    runs: Callable[[Workload], bool] = anything
    also: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether its library is."""
        return find_spec(self.library) is not None

    def load(self) -> Callable[[Workload], Step]:
        """Import the libraries; the function that makes the step."""
        for name in (self.library, *self.also):
            import_module(name)
        make = import_module(f"benchmarks.peers.{self.module}").make
        return partial(make, **self.options)


NUMPY = ("asg", "asg.backends.numpy_cpu.backend")  # it also folds constants for other backends
PEERS = {
    "asg_numpy": Peer("asg_peer", "numpy", also=NUMPY),
    "asg_jax": Peer(
        "asg_peer", "jax", {"backend": "jax"}, also=(*NUMPY, "asg.backends.jax_xla.backend")
    ),
    "torch": Peer("torch_peer", "torch"),
    "torch_nchw": Peer("torch_peer", "torch", {"layout": "contiguous_format"}, images),
    "torch_compile": Peer("torch_peer", "torch", {"compiled": True}),
    "jax": Peer("jax_peer", "jax"),
    "pytensor": Peer("pytensor_peer", "pytensor", runs=dense),
    "numpy": Peer("numpy_peer", "numpy", runs=without_dropout),
}
# Those that are measured when none are named; torch and PyTensor compile for up to a minute.
DEFAULT = ("asg_numpy", "asg_jax", "torch", "jax", "numpy")
