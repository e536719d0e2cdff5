"""Losses with margins against PyTorch, with wrong labels, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

X = np.sin(np.arange(20.0) * 1.3 + 0.2).reshape(5, 4) * 3.0
Y = np.cos(np.arange(20.0) * 0.7 + 0.3).reshape(5, 4) * 2.0
Z = np.sin(np.arange(20.0) * 2.1 + 1.1).reshape(5, 4) * 2.0
SIDES = np.where(np.arange(20) % 3 == 0, 1, -1).reshape(5, 4)
LABELS = np.array([2, 0, 3, 1, 1])
WEIGHTS = np.array([0.5, 2.0, 0.3, 1.1], np.float32)
SEVERAL = np.array([[3, 0, -1, 1], [-1, 2, 0, 1], [1, 2, -1, -1], [0, 1, 2, 3], [2, -1, 0, -1]])
CASES: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("hinge_embedding_loss", {"margin": 0.7}, [X, SIDES]),
    ("margin_ranking_loss", {"margin": 0.7}, [X, Y, SIDES]),
    ("cosine_embedding_loss", {"margin": 0.1}, [X, Y, SIDES[:, 0].copy()]),
    ("triplet_margin_loss", {"margin": 2.0}, [X, Y, Z]),
    ("triplet_margin_loss", {"margin": 2.0, "swap": True}, [X, Y, Z]),
    ("triplet_margin_loss", {"margin": 2.0, "p": 3.0}, [X, Y, Z]),
    ("triplet_margin_loss", {"margin": 2.0, "p": 1.0}, [X, Y, Z]),
    ("multi_margin_loss", {"margin": 0.7}, [X, LABELS]),
    ("multi_margin_loss", {"p": 2}, [X, LABELS]),
    ("multilabel_margin_loss", {}, [X, SEVERAL]),
]
FIRST_ORDER = ("multi_margin_loss", "multilabel_margin_loss")  # all that PyTorch has


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("name", "options", "arrays"), CASES)
def test_as_pytorch(name: str, options: dict[str, Any], arrays: list[Any], reduction: str) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    assert_as_pytorch(
        lambda *operands: getattr(asg, name)(*operands, **options, reduction=reduction),
        lambda *operands: getattr(functional, name)(*operands, **options, reduction=reduction),
        arrays,
        order=1 if name in FIRST_ORDER else 2,
    )


def test_weights_of_classes_as_pytorch() -> None:
    functional = pytest.importorskip("torch.nn.functional")
    assert_as_pytorch(
        asg.multi_margin_loss,
        lambda x, t, w: functional.multi_margin_loss(x, t, weight=w.double()),
        [X, LABELS, WEIGHTS],
        order=1,
    )


def test_hinges_and_dice_as_written() -> None:
    pytest.importorskip("torch")
    assert_as_pytorch(asg.hinge_loss, lambda x, t: (1 - t * x).clamp(min=0).mean(), [X, SIDES])
    assert_as_pytorch(
        asg.squared_hinge_loss, lambda x, t: (1 - t * x).clamp(min=0).square().mean(), [X, SIDES]
    )
    assert_as_pytorch(
        asg.dice_loss,
        lambda x, t: (1 - (2 * (x * t).sum(1) + 1) / (x.sum(1) + t.sum(1) + 1)).mean(),
        [X**2, Y**2],
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("wrong", [-1, 4, 100])
def test_a_wrong_label_is_nan_in_loss_and_gradient(backend: str, wrong: int) -> None:
    x, target = asg.input("x", (5, 4), "float64"), asg.input("t", (5,), "int64")
    labels = np.array([2, wrong, 3, 1, 1])
    losses = asg.multi_margin_loss(x, target, reduction="none")
    found = asg.run([losses, asg.grad(losses.sum(), x)], {x: X, target: labels}, backend=backend)
    assert np.isnan(found[0]).tolist() == [False, True, False, False, False]
    assert np.isnan(found[1]).any(1).tolist() == [False, True, False, False, False]
    assert np.isfinite(np.asarray(found[1])[[0, 2, 3, 4]]).all()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_wrong_label_among_several_is_nan_in_loss_and_gradient(backend: str) -> None:
    x, target = asg.input("x", (2, 4), "float64"), asg.input("t", (2, 4), "int64")
    losses = asg.multilabel_margin_loss(x, target, reduction="none")
    labels = np.array([[0, 4, -1, 1], [0, 1, -1, 9]])
    feeds = {x: X[:2], target: labels}
    found = asg.run([losses, asg.grad(losses.sum(), x)], feeds, backend=backend)
    assert np.isnan(found[0]).tolist() == [True, False]
    assert np.isnan(found[1]).any(1).tolist() == [True, False]


def test_equal_vectors_have_finite_slopes() -> None:
    x = asg.input("x", (2, 3))
    other = asg.constant(np.ones((2, 3), np.float32))
    for p in (1.0, 2.0, 3.0):
        loss = asg.triplet_margin_loss(x, other, other, p=p, eps=0.0)
        slope = asg.run(asg.grad(loss, x), {x: np.ones((2, 3), np.float32)})
        assert np.isfinite(slope).all()
    zero = asg.cosine_embedding_loss(x, other, asg.constant([1, -1]))
    assert np.isfinite(asg.run(asg.grad(zero, x), {x: np.zeros((2, 3), np.float32)})).all()


text: Any = "m"
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda x: asg.hinge_loss(x, x[0]), ShapeError, "losses do not broadcast"),
    (lambda x: asg.hinge_embedding_loss(x, x, margin=text), OperandError, "margin is 'm'"),
    (lambda x: asg.margin_ranking_loss(x, x, x[0]), ShapeError, "target is .* like x1"),
    (lambda x: asg.cosine_embedding_loss(x, x, x), ShapeError, "one for each vector"),
    (lambda x: asg.triplet_margin_loss(x, x, x[0]), ShapeError, "negative is .* like anchor"),
    (lambda x: asg.triplet_margin_loss(x, x, x, p=0.5), OperandError, r"p is 0\.5"),
    (lambda x: asg.multi_margin_loss(x, x[:, 0]), DtypeError, "integers are needed"),
    (lambda x: asg.multi_margin_loss(x, asg.input("t", ("n",), "int32"), p=3), OperandError,
     "choose 1 or 2"),
    (lambda x: asg.multilabel_margin_loss(x, asg.input("t", ("n",), "int32")), ShapeError,
     "padded with -1"),
    (lambda x: asg.multilabel_margin_loss(x, x.astype("uint8")), ShapeError, "cannot hold the -1"),
    (lambda x: asg.dice_loss(x[0], x[0]), ShapeError, "has one axis"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build(asg.input("x", ("n", 4)))
