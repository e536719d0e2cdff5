"""The backend as users meet it: its name, its options, what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asg.backends.jax_xla.backend import BACKEND, JaxBackend
from asg.backends.jax_xla.kernel import KERNELS, kernel

from asg.compiler.backend import Backend, Executable
from asg.core.array_data import ArrayData
from asg.core.dtype import as_dtype
from asg.core.errors import ConfigError, GraphError, OperandError
from asg.ops.leaf import Constant, Full, Input, Iota
from tests.backends.jax_xla.programs import (
    Plus,
    Repeat,
    Whatever,
    full,
    graph,
    kernels,
    run,
    tensor,
)

ROOT = Path(__file__).resolve().parents[3]


def python(code: str) -> str:
    """The output of a fresh interpreter."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_is_a_backend() -> None:
    assert isinstance(BACKEND, Backend)
    assert BACKEND.name == "jax"
    x = tensor("x")
    assert isinstance(BACKEND.compile(graph([x], [x])), Executable)


def test_it_supports_arguments_and_ops_with_kernels() -> None:
    float32 = as_dtype("float32")
    assert BACKEND.supports(Input("x", float32, (3,)), ())
    assert BACKEND.supports(Full(1.0, float32, (3,)), ())
    assert not BACKEND.supports(Whatever(), (tensor("x").type,))


def test_leaves_have_the_values_they_say() -> None:
    float32, int8 = as_dtype("float32"), as_dtype("int8")
    data = np.arange(6, dtype=np.int16).reshape(2, 3)
    leaves = [Constant(ArrayData(data))(), Full(1.5, float32, (2,))(), Iota(int8, (2, 3), 1)(),
              Full(True, as_dtype("bool"), ())(), Iota(float32, (2, 3), 0)()]  # fmt: skip
    values = run(graph([], leaves))
    assert [str(value.dtype) for value in values] == ["int16", "float32", "int8", "bool", "float32"]
    expected = [data, [1.5, 1.5], [[0, 1, 2]] * 2, True, [[0] * 3, [1] * 3]]
    for value, wanted in zip(values, expected, strict=True):
        assert value.tolist() == np.asarray(wanted).tolist()


def test_large_constants_are_arguments_and_small_ones_are_not() -> None:
    x = tensor("x", (512, 512))
    large = Constant(ArrayData(np.full((512, 512), 2, np.float32)))()
    small = Constant(ArrayData(np.full((1023, 1024), 3, np.int8)))()
    program = BACKEND.compile(graph([x], [Plus()(x, large), small]))
    sizes = program.memory_analysis().argument_size_in_bytes
    assert sizes == 2 * 512 * 512 * 4
    value, other = program([jnp.ones((512, 512))])
    assert (float(value.min()), float(value.max()), int(other.max())) == (3, 3, 3)


def test_symbolic_sizes_are_refused() -> None:
    x = tensor("x", ("n",))
    with pytest.raises(GraphError, match="has symbolic sizes; specialise"):
        BACKEND.compile(graph([x], [x]))


def test_what_xla_knows_can_be_read() -> None:
    x = tensor("x", (64, 64))
    program = BACKEND.compile(graph([x], [Repeat(2)(x)]))
    assert program.cost_analysis()["flops"] >= 2 * 2 * 64**3
    assert program.memory_analysis().output_size_in_bytes == 64 * 64 * 4
    assert program.hlo_text().startswith("HloModule jit_tested")


def test_an_op_has_one_kernel() -> None:
    with kernels({}), pytest.raises(OperandError, match="'test_plus' has two JAX kernels"):
        kernel(Plus)(lambda op, x, y: x)
    assert KERNELS[Plus].__name__ == "plus"


def traced_precision(backend: JaxBackend) -> str:
    seen: list[Any] = []

    def product(op: Any, x: jax.Array) -> jax.Array:
        seen.append(str(jax.make_jaxpr(jnp.matmul)(x, x)))
        return x @ x

    x = tensor("x", (3, 3))
    with kernels({Whatever: product}):
        backend.compile(graph([x], [Whatever()(x)]))
    return str(seen[0])


def test_products_are_computed_in_full_unless_asked_otherwise() -> None:
    assert "HIGHEST" in traced_precision(BACKEND)
    assert "precision=None" in traced_precision(JaxBackend("default")) or (
        "DEFAULT" in traced_precision(JaxBackend("default"))
    )


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="matmul_precision='best'"):
        JaxBackend("best")


def test_no_setting_of_jax_is_changed() -> None:
    before = dict(jax.config.values)
    x = tensor("x", dtype="float64")
    run(graph([x], [Plus()(x, x)]), full(1, dtype="float64"))
    assert dict(jax.config.values) == before


@pytest.mark.parametrize(
    ("setting", "value"),
    [("jax_numpy_dtype_promotion", "strict"), ("jax_numpy_rank_promotion", "raise"),
     ("jax_default_matmul_precision", "bfloat16")],
)  # fmt: skip
def test_settings_of_the_user_do_not_reach_kernels(setting: str, value: str) -> None:
    config: Any = jax.config  # JAX leaves it without types
    before = config.values[setting]

    def mixed(op: Any, x: jax.Array) -> jax.Array:
        return (x + jnp.full((1, 3), 3, jnp.int32))[0]

    config.update(setting, value)
    try:
        x = tensor("x")
        with kernels({Whatever: mixed}):
            assert run(graph([x], [Whatever()(x)]), full(1))[0].tolist() == [4, 4, 4]
        assert "HIGHEST" in traced_precision(BACKEND)
    finally:
        config.update(setting, before)


def test_disabled_compilation_is_told_with_the_way_out() -> None:
    x = tensor("x")
    with jax.disable_jit():
        program = BACKEND.compile(graph([x], [Plus()(x, x)]))
        with pytest.raises(ConfigError, match=r"inside `with jax.disable_jit\(False\):`"):
            program([jnp.ones(3)])
        with jax.disable_jit(False):
            assert program([full(1)])[0].tolist() == [2, 2, 2]


def test_a_guard_against_transfers_does_not_hinder_programs_on_the_device() -> None:
    x = tensor("x")
    ones = jnp.ones(3)
    with jax.transfer_guard("disallow"):
        program = BACKEND.compile(graph([x], [Plus()(x, Constant(ArrayData(full(2)))())]))
        (value,) = program([ones])
    assert value.tolist() == [3, 3, 3]


def test_import_asg_and_finding_the_backend_do_not_import_jax() -> None:
    code = (
        "import sys, asg, asg.compiler.loader as loader\n"
        "from importlib.util import find_spec\n"
        "found = find_spec(loader.BUILT_IN['jax'].split(':')[0])\n"
        "print(found is not None, 'jax' in loader.backend_names(), 'jax' in sys.modules)\n"
    )
    assert python(code) == "True True False"


def test_a_missing_jax_gives_the_line_that_adds_it() -> None:
    code = (
        "import sys; sys.modules['jax'] = None\n"
        "from asg.compiler.loader import load_backend\n"
        "from asg.core.errors import MissingLibrary\n"
        "try: load_backend('jax')\n"
        "except MissingLibrary as error: print(error)\n"
    )
    assert python(code) == "backend 'jax' needs jax: pip install 'asg-compiler[jax]'"


def test_loading_the_backend_does_not_start_xla() -> None:
    code = (
        "from asg.compiler.loader import load_backend\n"
        "load_backend('jax')\n"
        "from jax._src import xla_bridge\n"
        "print(xla_bridge.backends_are_initialized())\n"
    )
    assert python(code) == "False"
