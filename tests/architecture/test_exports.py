"""The public names: every op function is exported, and none hides a module."""

import pkgutil

import asg
from asg import ops
from asg.core.registry import FUNCTIONS

INTERNAL = {"getitem", "setitem", "at"}  # x[key], x.at[key].set(values)


def op_functions() -> set[str]:
    return {
        name
        for name, function in FUNCTIONS.items()
        if function.__module__.startswith("asg.ops.") and name not in INTERNAL
    }


def test_every_op_function_is_exported() -> None:
    missing = sorted(op_functions() - set(ops.__all__))
    assert not missing, f"add to asg/ops/__init__.py: {', '.join(missing)}"
    assert set(ops.__all__) == op_functions()


def test_every_exported_function_is_a_name_of_asg() -> None:
    assert [name for name in ops.__all__ if getattr(asg, name) is not getattr(ops, name)] == []


def test_no_module_has_the_name_of_an_op_function() -> None:
    modules = {module.name for module in pkgutil.iter_modules(ops.__path__)}
    assert modules & set(FUNCTIONS) == set()
