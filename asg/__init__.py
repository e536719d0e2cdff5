"""asg: a static-graph (define-then-run) compiler for tensor programs.

Build a graph, take its gradient (again a graph), turn forward, backward and the optimizer's
update into one pure training step, and compile it for NumPy or XLA.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from asg import _checkout as _checkout  # first: makes asg.backends importable in a checkout

__version__ = "0.1.0"

from asg import describe as describe
from asg import metrics as metrics
from asg import ops as ops
from asg.autodiff.api import grad as grad
from asg.autodiff.api import hvp as hvp
from asg.autodiff.api import jvp as jvp
from asg.autodiff.api import value_and_grad as value_and_grad
from asg.autodiff.api import vjp as vjp
from asg.autodiff.audit import audit as audit
from asg.autodiff.jacobians import hessian as hessian
from asg.autodiff.jacobians import jacobian as jacobian
from asg.compiler import Executable as Executable
from asg.compiler import Session as Session
from asg.compiler import compile as compile
from asg.compiler import load_plugins as load_plugins
from asg.compiler import register_kernel as register_kernel
from asg.compiler import run as run
from asg.config import configure as configure
from asg.core.dim import symbol as symbol
from asg.core.dtype import bfloat16 as bfloat16
from asg.core.dtype import bool_ as bool_
from asg.core.dtype import float16 as float16
from asg.core.dtype import float32 as float32
from asg.core.dtype import float64 as float64
from asg.core.dtype import int8 as int8
from asg.core.dtype import int16 as int16
from asg.core.dtype import int32 as int32
from asg.core.dtype import int64 as int64
from asg.core.dtype import uint8 as uint8
from asg.core.dtype import uint16 as uint16
from asg.core.dtype import uint32 as uint32
from asg.core.dtype import uint64 as uint64
from asg.core.errors import AsgError as AsgError
from asg.core.graph import Graph as Graph
from asg.core.op import Op as Op
from asg.core.origin import scope as scope
from asg.core.parse import parse as parse
from asg.core.registry import public as public
from asg.core.tensor import Tensor as Tensor
from asg.core.text import graph_text as graph_text
from asg.core.types import TensorType as TensorType
from asg.core.types import TypeProblem as TypeProblem
from asg.core.verify import verify as verify
from asg.ops import *  # noqa: F403 - every op function: asg.exp, asg.matmul, ...
from asg.state import RandomStream as RandomStream
from asg.state import StateTrace as StateTrace
from asg.state import Variable as Variable
from asg.state import eval_step as eval_step
from asg.state import init_step as init_step
from asg.state import is_training as is_training
from asg.state import parameter as parameter
from asg.state import train_step as train_step
from asg.state import training_mode as training_mode

_LATE = {
    "Model": "asg.train",
    "clear_cache": "asg.cache.store",
    "data": "",
    "generate": "asg.generation",
    "generation": "",
    "io": "",
    "metrics": "",
    "nn": "",
    "optim": "",
    "sklearn": "",
    "train": "",
}


def __getattr__(name: str) -> _Any:
    """What is loaded when it is first used, so that ``import asg`` stays quick."""
    if name not in _LATE:
        raise AttributeError(f"module 'asg' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(_LATE[name] or f"asg.{name}")
    found = getattr(module, name) if _LATE[name] else module
    globals()[name] = found
    return found


dim = symbol  # asg.dim("n", minimum=8): a symbolic size

if _TYPE_CHECKING:
    from asg import data as data
    from asg import generation as generation
    from asg import io as io
    from asg import metrics as metrics
    from asg import nn as nn
    from asg import optim as optim
    from asg import train as train
    from asg.cache.store import clear_cache as clear_cache
    from asg.generation import generate as generate
    from asg.train import Model as Model
