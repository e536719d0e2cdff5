"""Activations as modules: PyTorch's arguments, values and derivatives; what they refuse."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError, StateError
from tests.nn.oracle import assert_like_pytorch

SMOOTH = np.sin(np.arange(48.0) * 1.3 + 0.2).reshape(2, 4, 3, 2) * 4.0
# Both zeros, every joint of the pieces below, and numbers at which exponentials leave float64.
EDGES = np.array([
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 20.0, 2.0, 10.0],
    [1e4, -1e4, 800.0, -800.0, 40.0, -40.0, 1e-9, -1e-9, 0.25, -0.25, -6.0, -20.0],
])  # fmt: skip

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    *((name, (), {}) for name in (
        "ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid", "Softsign", "Sigmoid",
        "LogSigmoid", "Tanh", "Tanhshrink", "Identity", "GELU", "ELU", "CELU", "LeakyReLU",
        "Softplus", "Softshrink", "Hardshrink", "Hardtanh", "PReLU", "GLU",
    )),
    ("LeakyReLU", (0.3,), {}),
    ("LeakyReLU", (), {"negative_slope": -0.5}),
    ("ELU", (2.0,), {}),
    ("CELU", (), {"alpha": 0.5}),
    ("GELU", ("tanh",), {}),
    ("Softplus", (2.0,), {}),
    ("Softplus", (), {"beta": 0.5, "threshold": 1.0}),
    ("Softshrink", (0.0,), {}),
    ("Softshrink", (), {"lambd": 1.0}),
    ("Hardshrink", (0.25,), {}),
    ("Hardtanh", (-2.0, 0.5), {}),
    ("Hardtanh", (), {"max_val": 3.0}),
    ("Threshold", (0.5, -7.0), {}),
    ("PReLU", (), {"init": 0.7}),
    ("GLU", (1,), {}),
    *((name, (axis,), {}) for name in ("Softmax", "LogSoftmax", "Softmin") for axis in (0, 1, -1)),
]  # fmt: skip


def pair(name: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[nn.Module, Any]:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    own = {"dtype": "float64"} if name == "PReLU" else {}
    return getattr(nn, name)(*args, **options, **own), getattr(torch.nn, name)(*args, **options)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("x", [SMOOTH, EDGES], ids=["smooth", "edges"])
@pytest.mark.parametrize(("name", "args", "options"), CASES)
def test_as_pytorch(name: str, args: Any, options: Any, x: Any, training: bool) -> None:
    # PyTorch's hardsigmoid multiplies float64 cotangents by a sixth in float32.
    near = 1e-7 if name == "Hardsigmoid" else 1e-8
    assert_like_pytorch(
        *pair(name, args, options), [x], training=training, symbolic_batch=True, tolerance=near
    )


@pytest.mark.parametrize(
    ("name", "args"), [("Softplus", (2.0,)), ("PReLU", ()), ("Softmin", (1,)), ("GLU", (-1,))]
)
def test_on_xla(name: str, args: Any) -> None:
    assert_like_pytorch(*pair(name, args, {}), [EDGES], backend="jax")


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 2)])
def test_a_slope_for_each_channel(shape: tuple[int, ...]) -> None:
    x = SMOOTH.reshape(-1)[: int(np.prod(shape))].reshape(shape)
    assert_like_pytorch(*pair("PReLU", (3, 0.1), {}), [x])


@pytest.mark.parametrize("x", [SMOOTH, SMOOTH[0]])
def test_softmax_over_channels(x: Any) -> None:
    assert_like_pytorch(*pair("Softmax2d", (), {}), [x])
    with pytest.raises(OperandError, match="3 or 4 axes"):
        nn.Softmax2d()(asg.input("x", (2, 3)))


def test_gates_as_written() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    functional = torch.nn.functional
    for axis in (1, -1):
        for module, gate in (
            (nn.SwiGLU(axis), functional.silu),
            (nn.GeGLU(axis), functional.gelu),
            (nn.GeGLU(axis, "tanh"), lambda a: functional.gelu(a, approximate="tanh")),
        ):

            def theirs(_: Any, x: Any, gate: Any = gate, axis: int = axis) -> Any:
                a, b = x.chunk(2, axis)
                return gate(a) * b

            assert_like_pytorch(module, torch.nn.Identity(), [SMOOTH], their_call=theirs)


def test_random_slopes() -> None:
    assert_like_pytorch(*pair("RReLU", (0.1, 0.4), {}), [EDGES])
    assert_like_pytorch(*pair("RReLU", (0.25, 0.25), {}), [SMOOTH], training=True)
    with asg.StateTrace(training=True) as trace:
        x = asg.input("x", ("n",), "float64")
        y = nn.RReLU(0.1, 0.4)(x)
        graph = trace.close({"y": y, "slope": asg.grad(y.sum(), x)})
    x_value = np.concatenate([np.full(20_000, -2.0), [0.0, 5.0]])
    drawn = {}
    for backend in ("numpy", "jax"):
        session = asg.compile(graph, backend=backend).start(seed=0)
        first, second = session(x=x_value), session(x=x_value)
        slopes = np.asarray(first["slope"])[:-2]
        np.testing.assert_allclose(np.asarray(first["y"])[:-2], slopes * -2.0)
        assert first["y"][-2:].tolist() == [0.0, 5.0]
        assert slopes.min() >= 0.1 and slopes.max() <= 0.4
        assert abs(slopes.mean() - 0.25) < 3e-3 and abs(slopes.std() - 0.3 / 12**0.5) < 3e-3
        assert not np.array_equal(slopes, np.asarray(second["slope"])[:-2])
        drawn[backend] = slopes
    np.testing.assert_array_equal(drawn["numpy"], drawn["jax"])
    with pytest.raises(StateError, match="RReLU behaves differently"):
        nn.RReLU()(asg.input("x", (2,)))


word: Any = "a"
nothing: Any = None
half: Any = 0.5
REFUSED: list[tuple[Any, str]] = [
    (lambda: nn.LeakyReLU(word), r"LeakyReLU: negative_slope='a' must be a number"),
    (lambda: nn.ELU(True), "alpha=True must be a number"),
    (lambda: nn.ELU(float("nan")), "alpha=nan must be a number"),
    (lambda: nn.CELU(0.0), r"alpha=0\.0 must be a positive number"),
    (lambda: nn.GELU("erf"), "approximate='erf' must be one of 'none', 'tanh'"),
    (lambda: nn.GeGLU(-1, "erf"), "approximate='erf'"),
    (lambda: nn.Softplus(-1), "beta=-1 must be a positive number"),
    (lambda: nn.Softplus(threshold=nothing), "threshold=None must be a number"),
    (lambda: nn.Softshrink(-0.5), r"lambd=-0\.5 must be a number of at least 0"),
    (lambda: nn.Hardshrink(-0.5), r"lambd=-0\.5"),
    (lambda: nn.Hardtanh(1.0, 1.0), r"min_val=1\.0 must be less than max_val=1\.0"),
    (lambda: nn.Threshold(0.5, nothing), "value=None must be a number"),
    (lambda: nn.RReLU(0.5, 0.25), r"lower=0\.5 must not exceed upper=0\.25"),
    (lambda: nn.PReLU(0), "num_parameters=0 must be a positive int"),
    (lambda: nn.PReLU(1, word), "init='a' must be a number"),
    (lambda: nn.Softmax(half), r"dim=0\.5 must be an int"),
    (lambda: nn.GLU(nothing), "dim=None must be an int"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_wrong_options_are_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_an_axis_is_said_and_arguments_are_known() -> None:
    with pytest.raises(TypeError, match="Softmax: missing a required argument: 'dim'"):
        nn.Softmax()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="ReLU: got an unexpected keyword argument 'inplace'"):
        nn.ReLU(inplace=True)


def test_signatures_and_text() -> None:
    assert str(inspect.signature(nn.Softplus)) == "(beta=1.0, threshold=20.0)"
    assert str(inspect.signature(nn.Threshold)) == "(threshold, value)"
    assert list(inspect.signature(nn.PReLU).parameters) == ["num_parameters", "init", "dtype"]
    shown = [nn.ReLU(), nn.Threshold(0.1, 20), nn.GELU("tanh"), nn.Softmax(1), nn.PReLU(3)]
    assert [repr(module) for module in shown] == [
        "ReLU()", "Threshold(threshold=0.1, value=20)", "GELU(approximate='tanh')",
        "Softmax(dim=1)", "PReLU(num_parameters=3)",
    ]  # fmt: skip
    assert nn.Swish is nn.SiLU
