"""The two tables that tie layers together: ops by name, public functions by name.

``x + y`` must work although `asg.core` imports no op: :func:`call` looks the function *named*
"add" up here, and `asg.ops` puts it here. `asg.compiler`, `asg.passes` and the loader of the
visualizer register the services that `Graph` offers as methods (``optimize``, ``render``) the
same way. There is no other by-name link in the core. A name that is in no table yet is looked for
again with all of asg loaded, since `import asg` alone loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from asg.core.errors import DimError, DtypeError, OperandError, ShapeError, UnknownName
from asg.core.explain import explained, retold
from asg.core.types import TypeProblem

if TYPE_CHECKING:
    from asg.core.op import Op
    from asg.core.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")

BUILDING = (DimError, DtypeError, OperandError, ShapeError)
"""What a wrong call raises while a graph is built."""

OPS: dict[str, type[Op]] = {}
FUNCTIONS: dict[str, Callable[..., Any]] = {}


def snake_case(name: str) -> str:
    """``LogSoftmax`` -> ``log_softmax``.

    >>> snake_case("LogSoftmax"), snake_case("Conv2d"), snake_case("ReLU")
    ('log_softmax', 'conv2d', 'relu')
    """
    name = name.replace("ReLU", "Relu")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def public(function: Callable[P, R]) -> Callable[P, R]:
    """Register a function under its name and explain problems raised inside it.

    Of the functions that build tensors, also errors in plain words.
    """
    plain = BUILDING if function.__module__.startswith("asg.ops.") else ()

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except TypeProblem as problem:
            raise explained(problem, function, args, kwargs) from None
        except plain as error:
            raise retold(error, function, args, kwargs) from None

    FUNCTIONS[function.__name__] = wrapper
    return wrapper


def service(name: str) -> Callable[..., Any]:
    """The function registered under ``name``, else UnknownName with close names."""
    return _found("function", FUNCTIONS, name)


def call(name: str, *args: Any, **kwargs: Any) -> Tensor:
    """Call the op function registered under ``name``."""
    function = FUNCTIONS.get(name) or service(name)
    result: Tensor = function(*args, **kwargs)
    return result


def op_class(name: str) -> type[Op]:
    """The op class registered under ``name``, else UnknownName with close names."""
    return _found("op", OPS, name)


def _found(kind: str, table: Mapping[str, R], name: str) -> R:
    for late in ("asg.api", "asg.seldom"):
        if name not in table:
            import_module(late)
    if name in table:
        return table[name]
    close = get_close_matches(name, table, 3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise UnknownName(f"no {kind} named {name!r} is registered{hint}")
