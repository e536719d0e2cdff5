"""LayerNorm, RMSNorm, GroupNorm and LocalResponseNorm against PyTorch over their arguments."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from tests.nn.oracle import assert_like_pytorch

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
Array = np.ndarray[Any, Any]


def filled(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).normal(0.5, 2.0, shape)


def assert_same(name: str, args: tuple[Any, ...], options: dict[str, Any], x: Array, **how: Any):  # type: ignore[no-untyped-def]
    theirs = getattr(torch.nn, name)(*args, **options)
    with torch.no_grad():
        for position, held in enumerate(theirs.parameters()):
            values = torch.linspace(0.5, 1.5 + position, held.numel())
            held.copy_(values.reshape(held.shape))
    dtype = {} if name == "LocalResponseNorm" else {"dtype": "float64"}
    ours = getattr(nn, name)(*args, **options, **dtype)
    assert_like_pytorch(ours, theirs, [x], **how)


TRAILING = list(product([4, (4,), (3, 4), [2, 3, 4]], [1e-5, 0.3], [True, False]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("shape", "eps", "affine"), TRAILING)
def test_layer_norm(shape: Any, eps: float, affine: bool, bias: bool) -> None:
    options = {"eps": eps, "elementwise_affine": affine, "bias": bias}
    how = {"training": affine, "symbolic_batch": not bias}
    assert_same("LayerNorm", (shape,), options, filled(5, 2, 3, 4), **how)


@pytest.mark.parametrize(("shape", "eps", "affine"), [*TRAILING, (4, None, True), (4, None, False)])
def test_rms_norm(shape: Any, eps: float | None, affine: bool) -> None:
    options = {"eps": eps, "elementwise_affine": affine}
    assert_same("RMSNorm", (shape,), options, filled(5, 2, 3, 4), symbolic_batch=affine)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_rms_norm_takes_the_spacing_of_the_dtype_it_computes_in(dtype: str) -> None:
    x = asg.input("x", (1, 2), dtype)
    numbers = np.array([[1e-2, 2e-2]])
    found = asg.run(nn.RMSNorm(2, elementwise_affine=False)(x), {x: numbers.astype(x.dtype.numpy)})
    theirs = torch.nn.RMSNorm(2, elementwise_affine=False)
    wanted = theirs(torch.tensor(numbers, dtype=getattr(torch, dtype))).double().numpy()
    spacing = float(torch.finfo(getattr(torch, dtype)).eps)
    np.testing.assert_allclose(np.asarray(found).astype(float), wanted, rtol=4 * spacing)


@pytest.mark.parametrize("space", [(), (3,), (2, 3), (2, 1, 2)])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_group_norm(groups: int, space: tuple[int, ...]) -> None:
    for affine, bias, eps in product([True, False], [True, False], [0.3]):
        options = {"eps": eps, "affine": affine, "bias": bias}
        symbolic = bias
        x = filled(3, 4, *space)
        assert_same("GroupNorm", (groups, 4), options, x, symbolic_batch=symbolic)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("space", [(3,), (2, 3), (2, 1, 2)])
def test_local_response_norm(size: int, space: tuple[int, ...]) -> None:
    for options in ({}, {"alpha": 0.3, "beta": 0.6, "k": 2.0}):
        x = filled(2, 5, *space)
        assert_same("LocalResponseNorm", (size,), options, x, symbolic_batch=bool(options))


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("LayerNorm", ((3, 4),)),
        ("RMSNorm", (4,)),
        ("GroupNorm", (2, 2)),
        ("LocalResponseNorm", (2,)),
    ],
)
def test_on_jax(name: str, args: tuple[Any, ...]) -> None:
    pytest.importorskip("jax", reason="JAX is an optional backend")
    assert_same(name, args, {}, filled(5, 2, 3, 4), backend="jax")


@pytest.mark.parametrize("shape", [0, -1, (), (3, 0), "4", 2.0, (3, True), None])
def test_wrong_shapes_to_normalise(shape: Any) -> None:
    for layer in (nn.LayerNorm, nn.RMSNorm):
        with pytest.raises(OperandError, match="normalized_shape="):
            layer(shape)


def of(*shape: int | str) -> asg.Tensor:
    return asg.input("x", shape)


REFUSED: list[tuple[Any, type[AsgError], str]] = [
    (lambda: nn.LayerNorm(3, eps=-1.0), OperandError, r"eps=-1\.0"),
    (lambda: nn.LayerNorm(3, elementwise_affine=1), OperandError, "elementwise_affine=1"),  # type: ignore[arg-type]
    (lambda: nn.LayerNorm(3, bias="no"), OperandError, "bias='no'"),  # type: ignore[arg-type]
    (lambda: nn.LayerNorm(3)(of(2, 4)), ShapeError, "is not how"),
    (lambda: nn.RMSNorm(3, eps="small"), OperandError, "eps='small'"),  # type: ignore[arg-type]
    (lambda: nn.RMSNorm(3)(asg.input("x", (3,), "int32")), DtypeError, "floating"),
    (lambda: nn.GroupNorm(0, 4), OperandError, "num_groups=0"),
    (lambda: nn.GroupNorm(3, 4), OperandError, "num_groups=3 must divide num_channels=4"),
    (lambda: nn.GroupNorm(2, 4, eps=None), OperandError, "eps=None"),  # type: ignore[arg-type]
    (lambda: nn.GroupNorm(2, 4, affine=None), OperandError, "affine=None"),  # type: ignore[arg-type]
    (lambda: nn.GroupNorm(2, 4, affine=False)(of(2, 6)), ShapeError, "GroupNorm takes 4 channels"),
    (lambda: nn.GroupNorm(2, 4)(of(4)), ShapeError, "GroupNorm takes 4 channels"),
    (lambda: nn.LocalResponseNorm(0), OperandError, "size=0"),
    (lambda: nn.LocalResponseNorm(2, beta="b"), OperandError, "beta='b'"),  # type: ignore[arg-type]
    (lambda: nn.LocalResponseNorm(2)(of(2, 4)), ShapeError, "LocalResponseNorm takes"),
]


@pytest.mark.parametrize(("make", "error", "told"), REFUSED)
def test_what_is_refused(make: Any, error: type[AsgError], told: str) -> None:
    with pytest.raises(error, match=told):
        make()


def test_text() -> None:
    texts = [
        (
            nn.LayerNorm(3, bias=False),
            "LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=False)",
        ),
        (nn.RMSNorm((2, 3)), "RMSNorm((2, 3), eps=None, elementwise_affine=True)"),
        (nn.GroupNorm(2, 4), "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"),
        (nn.LocalResponseNorm(2), "LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)"),
    ]
    for layer, text in texts:
        assert repr(layer) == text
