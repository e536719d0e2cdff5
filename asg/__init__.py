"""asg: a static-graph (define-then-run) compiler for tensor programs.

Build a graph, take its gradient (again a graph), turn forward, backward and the optimizer's
update into one pure training step, and compile it for NumPy or XLA.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from asg import _checkout as _checkout  # makes asg.backends importable in a checkout

if _TYPE_CHECKING:
    from asg import data as data
    from asg import generation as generation
    from asg import io as io
    from asg import nn as nn
    from asg import optim as optim
    from asg import train as train
    from asg.api import *  # noqa: F403
    from asg.cache.store import clear_cache as clear_cache
    from asg.generation import generate as generate
    from asg.seldom import *  # noqa: F403
    from asg.train import Model as Model

__version__ = "0.1.0"

# Where the names are that asg/api.py has not; "" stands for the module of that name.
_LATE = {
    "Model": "asg.train",
    "audit": "asg.autodiff.audit",
    "clear_cache": "asg.cache.store",
    "data": "",
    "describe": "",
    "generate": "asg.generation",
    "generation": "",
    "hessian": "asg.autodiff.jacobians",
    "io": "",
    "jacobian": "asg.autodiff.jacobians",
    "metrics": "",
    "nn": "",
    "optim": "",
    "parse": "asg.core.parse",
    "sklearn": "",
    "train": "",
}


def __getattr__(name: str) -> _Any:
    """Load a name when it is first used: a command that only prints its help needs none."""
    names = globals()
    if name in _LATE:
        module = _import_module(_LATE[name] or f"asg.{name}")
        names[name] = getattr(module, name) if _LATE[name] else module
    elif "Graph" not in names:
        names.update(_public(_import_module("asg.api")))
    if name == "__all__":  # ``from asg import *`` takes what is there
        names.update(_public(_import_module("asg.seldom")))
    try:
        return names[name]
    except KeyError:
        raise AttributeError(f"module 'asg' has no attribute {name!r}", name=name) from None


def __dir__() -> list[str]:
    """All names, loaded or not: for completion and ``help``."""
    return sorted({*globals(), *_public(_import_module("asg.api")), *_LATE})


def _public(module: _Any) -> dict[str, _Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}
