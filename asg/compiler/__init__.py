"""From a graph to something that runs: the driver, sessions, and backends by name."""

from asg.compiler.custom import load_plugins as load_plugins
from asg.compiler.custom import register_kernel as register_kernel
from asg.compiler.driver import Executable as Executable
from asg.compiler.driver import compile as compile
from asg.compiler.driver import run as run
from asg.compiler.loader import backend_names as backend_names
from asg.compiler.loader import load_backend as load_backend
from asg.compiler.session import Session as Session
