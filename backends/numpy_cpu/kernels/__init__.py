"""NumPy kernels, a file per family of ops; importing this package registers all of them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from asg.core.op import Op
from asg.core.registry import OPS

from ..kernel import KERNELS, VIEWS

# Whatever lies in this folder is a family: a new file needs no entry anywhere.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def missing_kernels() -> list[type[Op]]:
    """The ops NumPy cannot run: primitives with neither kernel nor view, by name.

    Ops that settle are gone by the time a backend sees the graph.
    """
    return [
        op_class
        for _, op_class in sorted(OPS.items())
        if op_class not in KERNELS
        and op_class not in VIEWS
        and not op_class.is_placeholder
        and not op_class.has_decomposition()
        and not op_class.settles()
    ]
