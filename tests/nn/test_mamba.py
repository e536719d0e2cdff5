"""Mamba and its selective scan: against loops over the time steps, whole and in parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from asg.ops.loops import Scan
from tests.nn.oracle import assert_like_pytorch
from tests.nn.published_mamba import published

Array = np.ndarray[Any, Any]
BATCH, MODEL = 2, 6


def filled(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


# -- the scan ----------------------------------------------------------------------------------


def scan_operands(time: int, batch: int = 2, channels: int = 3, states: int = 4) -> list[Array]:
    """x, delta, a, b, c and the first state."""
    return [
        filled(time, batch, channels), np.exp(filled(time, batch, channels, seed=1) - 1.0),
        -np.exp(filled(channels, states, seed=2)), filled(time, batch, states, seed=3),
        filled(time, batch, states, seed=4), filled(batch, channels, states, seed=5),
    ]  # fmt: skip


def looped(arrays: list[Array]) -> tuple[Array, Array]:
    """The definition, in NumPy."""
    x, delta, a, b, c, h = arrays
    y = np.zeros_like(x)
    for t in range(len(x)):
        for n, d in np.ndindex(x.shape[1:]):
            decay = np.exp(delta[t, n, d] * a[d])
            h[n, d] = decay * h[n, d] + delta[t, n, d] * x[t, n, d] * b[t, n]
            y[t, n, d] = h[n, d] @ c[t, n]
    return y, h


def built(arrays: list[Array], chunk: int, symbolic: bool) -> Any:
    """Values of the scan and gradients of a weighted sum by all operands."""
    names = ("x", "delta", "a", "b", "c", "h")
    shapes = [a.shape for a in arrays]
    if symbolic:
        shapes = [("t", "n", shape[2]) if i in (0, 1, 3, 4) else shape
                  for i, shape in enumerate(shapes)]  # fmt: skip
    inputs = [asg.input(n, s, "float64") for n, s in zip(names, shapes, strict=True)]
    y, h = nn.selective_scan(*inputs, chunk=chunk)
    weights = asg.input("weight", arrays[0].shape, "float64")
    loss = (y * weights).sum() + (h * inputs[5]).sum()
    graph = asg.Graph(y=y, h_last=h, **asg.grad(loss, dict(zip(names, inputs, strict=True))))
    feeds = dict(zip(names, arrays, strict=True)) | {"weight": filled(*arrays[0].shape, seed=6)}
    return asg.compile(graph)(**feeds)


@pytest.mark.parametrize("time", [1, 3, 4, 9])
@pytest.mark.parametrize("symbolic", [False, True])
def test_the_scan_is_its_definition_whatever_the_chunks(time: int, symbolic: bool) -> None:
    arrays = scan_operands(time)
    y, h = looped([a.copy() for a in arrays])
    found = {chunk: built(arrays, chunk, symbolic) for chunk in (1, 4, 16)}
    for results in found.values():
        np.testing.assert_allclose(results["y"], y, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(results["h_last"], h, rtol=1e-10, atol=1e-12)
        for name, value in found[16].items():
            np.testing.assert_allclose(results[name], value, rtol=1e-10, atol=1e-12, err_msg=name)


def test_the_gradients_of_the_scan_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    arrays = scan_operands(7)
    x, delta, a, b, c, first = given = [torch.tensor(v, requires_grad=True) for v in arrays]
    h, outputs = first, []
    for t in range(7):
        h = torch.exp(delta[t][..., None] * a) * h + (delta * x)[t][..., None] * b[t][:, None]
        outputs.append(torch.einsum("nds,ns->nd", h, c[t]))
    weight = torch.tensor(filled(*arrays[0].shape, seed=6))
    loss = (torch.stack(outputs) * weight).sum() + (h * first).sum()
    loss.backward()
    found = built(arrays, 3, True)
    for name, tensor in zip(("x", "delta", "a", "b", "c", "h"), given, strict=True):
        np.testing.assert_allclose(
            found[name], tensor.grad.numpy(), rtol=1e-8, atol=1e-10, err_msg=name
        )


def test_no_state_is_kept_for_every_step() -> None:
    """No value of the gradient has as many elements as all states together."""
    arrays = scan_operands(64, 1, 8, 16)
    inputs = [asg.constant(a) for a in arrays]
    x = asg.input("x", arrays[0].shape, "float64")
    y, _ = nn.selective_scan(x, *inputs[1:], chunk=8)
    graph = asg.compile(asg.Graph(x=asg.grad((y * y).sum(), x))).optimized
    stack = list(graph.nodes)
    sizes: list[Any] = []
    while stack:
        node = stack.pop()
        sizes += [tensor.size for tensor in node.outputs]
        stack += node.op.body.nodes if isinstance(node.op, Scan) else ()
    assert 8 * 8 * 16 <= max(sizes) < 64 * 8 * 16  # the states of a chunk; not all of them


def test_narrow_floats_are_computed_wide() -> None:
    arrays = scan_operands(40)
    wanted, last = looped([a.astype(np.float16).astype(np.float64) for a in arrays])
    half = [asg.constant(a.astype(np.float16)) for a in arrays]
    y, h = (asg.run(each) for each in nn.selective_scan(*half))
    assert y.dtype == np.float16 and h.dtype == np.float32
    np.testing.assert_allclose(y, wanted, rtol=1e-3, atol=2e-3)
    np.testing.assert_allclose(h, last, rtol=1e-4, atol=1e-5)


# -- the layer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"d_state": 3, "bias": True},
        {"d_conv": 1, "conv_bias": False},
        {"expand": 1.5, "dt_rank": 2, "d_conv": 2},
        {"expand": 1, "d_state": 1, "dt_rank": 5, "conv_bias": False, "bias": True},
    ],
    ids=str,
)
def test_the_layer_is_the_published_one(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    for symbolic in (False, [("batch", "time", MODEL)]):
        assert_like_pytorch(
            nn.Mamba(MODEL, **options, dtype="float64"), published(torch, MODEL, **options),
            [filled(BATCH, 7, MODEL)], symbolic_batch=symbolic,
        )  # fmt: skip


@pytest.mark.parametrize("symbolic", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_layer_runs_on_xla(symbolic: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    assert_like_pytorch(
        nn.Mamba(MODEL, d_state=3, dtype="float64"), published(torch, MODEL, d_state=3),
        [filled(BATCH, 5, MODEL)], backend="jax",
        symbolic_batch=[("batch", "time", MODEL)] if symbolic else False,
    )  # fmt: skip


@pytest.mark.parametrize("parts", [[1] * 7, [3, 4], [1, 5, 1]], ids=str)
@pytest.mark.parametrize("d_conv", [4, 1])
def test_parts_of_a_sequence_give_what_the_whole_gives(parts: list[int], d_conv: int) -> None:
    layer = nn.Mamba(MODEL, d_conv=d_conv, dtype="float64")
    x = asg.input("x", ("n", 7, MODEL), "float64")
    whole, states = layer.step(x)
    state, outputs, start = None, [], 0
    for steps in parts:
        y, state = layer.step(x[:, start : start + steps], state)
        outputs.append(y)
        start += steps
    assert state is not None
    graph = asg.Graph(whole=whole, parts=asg.concat(outputs, 1), alone=layer(x),
                      one=list(states), other=list(state))  # fmt: skip
    found = asg.compile(graph).start(0)(x=filled(BATCH, 7, MODEL))
    for name in ("parts", "alone"):
        np.testing.assert_allclose(found[name], found["whole"], rtol=1e-10, atol=1e-13)
    for i in (0, 1):
        np.testing.assert_allclose(found[f"other.{i}"], found[f"one.{i}"], rtol=1e-10, atol=1e-13)


def test_first_values() -> None:
    layer = nn.Mamba(64, d_state=5, dt_min=0.01, dt_max=0.2, dt_scale=0.5)
    found = layer.state_dict()
    steps = np.log1p(np.exp(found["dt_proj.bias"]))
    assert 0.0099 < steps.min() < 0.015 and 0.15 < steps.max() < 0.2001
    assert abs(np.log(steps).mean() - np.log([0.01, 0.2]).mean()) < 0.2
    assert 0.24 < np.abs(found["dt_proj.weight"]).max() <= 0.25
    np.testing.assert_allclose(found["A_log"], np.tile(np.log(np.arange(1, 6)), (128, 1)), 1e-6)
    assert (found["D"] == 1.0).all()
    other = nn.Mamba(64, dt_init="constant", dt_min=1e-3, dt_max=1e-3, dt_init_floor=0.5)
    found = other.state_dict()
    assert (found["dt_proj.weight"] == 0.5).all()
    np.testing.assert_allclose(np.log1p(np.exp(found["dt_proj.bias"])), 0.5, 1e-5)


def test_parameters_of_the_published_size() -> None:
    """A layer of mamba-130m: d_model 768."""
    layer = nn.Mamba(768)
    count = sum(parameter.type.size for parameter in layer.parameters().values())
    inner, rank, states = 1536, 48, 16
    wanted = 768 * 2 * inner + inner * 4 + inner + inner * (rank + 2 * states)
    wanted += rank * inner + inner + inner * states + inner + inner * 768
    assert count == wanted
    assert 24 * (count + 768) + 50280 * 768 + 768 == 129_135_360  # with norms and embeddings


def x(*shape: int, dtype: str = "float32") -> Any:
    return asg.zeros(shape, dtype)


WRONG: list[tuple[str, Any, type[AsgError], str]] = [
    ("d_model", lambda: nn.Mamba(0), OperandError, "d_model=0"),
    ("d_state", lambda: nn.Mamba(4, d_state=2.5), OperandError, r"d_state=2\.5"),  # type: ignore[arg-type]
    ("d_conv", lambda: nn.Mamba(4, d_conv=0), OperandError, "d_conv=0"),
    ("expand", lambda: nn.Mamba(4, expand=0.1), OperandError, r"expand=0\.1"),
    ("dt_rank", lambda: nn.Mamba(4, dt_rank="all"), OperandError, "dt_rank='all'"),
    ("dt_rank 0", lambda: nn.Mamba(4, dt_rank=0), OperandError, "dt_rank=0"),
    ("dt_min", lambda: nn.Mamba(4, dt_min=0.0), OperandError, r"dt_min=0\.0"),
    ("dt_max", lambda: nn.Mamba(4, dt_max=1e-9), OperandError, "dt_max=1e-09"),
    ("dt_init", lambda: nn.Mamba(4, dt_init="zeros"), OperandError, "dt_init='zeros'"),
    ("dt_scale", lambda: nn.Mamba(4, dt_scale=0.0), OperandError, "dt_scale=0"),
    ("floor", lambda: nn.Mamba(4, dt_init_floor=-1.0), OperandError, r"dt_init_floor=-1\.0"),
    ("bias", lambda: nn.Mamba(4, bias=0), OperandError, "bias=0"),  # type: ignore[arg-type]
    ("axes", lambda: nn.Mamba(4)(x(3, 4)), ShapeError, "batch, time, d_model"),
    ("size", lambda: nn.Mamba(4)(x(3, 2, 5)), ShapeError, "5 against 4"),
    ("state", lambda: nn.Mamba(4).step(x(3, 2, 4), x(3)), OperandError, "what `step` returned"),
    ("inputs", lambda: nn.Mamba(4).step(x(3, 2, 4), (x(3, 8, 2), x(3, 8, 16))), ShapeError,
     r"convolution's state is f32\[3, 8, 2\], but \[3, 8, 3\]"),
    ("h", lambda: nn.Mamba(4).step(x(3, 2, 4), (x(3, 8, 3), x(3, 8, 15))), ShapeError,
     r"state is f32\[3, 8, 15\]"),
    ("dtype", lambda: nn.Mamba(4).step(x(3, 2, 4), (x(3, 8, 3), x(3, 8, 16, dtype="float64"))),
     DtypeError, "state is f64"),
    ("chunk", lambda: nn.selective_scan(x(3, 2, 4), x(3, 2, 4), x(4, 5), x(3, 2, 5), x(3, 2, 5),
                                        chunk=0), OperandError, "chunk=0"),
    ("delta", lambda: nn.selective_scan(x(3, 2, 4), x(3, 2, 5), x(4, 5), x(3, 2, 5), x(3, 2, 5)),
     ShapeError, "delta is"),
    ("a", lambda: nn.selective_scan(x(3, 2, 4), x(3, 2, 4), x(5, 5), x(3, 2, 5), x(3, 2, 5)),
     ShapeError, r"a is f32\[5, 5\]"),
    ("c", lambda: nn.selective_scan(x(3, 2, 4), x(3, 2, 4), x(4, 5), x(3, 2, 5), x(3, 2, 4)),
     ShapeError, "c is"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "build", "error", "text"), WRONG, ids=[row[0] for row in WRONG])
def test_what_does_not_fit_is_refused(
    what: str, build: Any, error: type[AsgError], text: str
) -> None:
    with pytest.raises(error, match=text):
        build()
