"""The names of `asg` itself: ``asg.grad``, ``asg.compile``, every op function.

`asg/__init__.py` loads this module when the first of its names is used, and passes them on; what
few programs use is in asg/seldom.py.
"""

from asg import ops as ops
from asg.autodiff.api import grad as grad
from asg.autodiff.api import hvp as hvp
from asg.autodiff.api import jvp as jvp
from asg.autodiff.api import value_and_grad as value_and_grad
from asg.autodiff.api import vjp as vjp
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

dim = symbol  # asg.dim("n", minimum=8): a symbolic size
