"""Losses against PyTorch, at extremes, with wrong labels, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch as assert_derivatives_as_pytorch

LOGITS = np.sin(np.arange(20.0) * 1.3).reshape(5, 4) * 3.0
LABELS = np.array([2, 0, 3, 1, 1])
IMAGE = np.sin(np.arange(48.0) * 1.3).reshape(2, 4, 3, 2) * 3.0
IMAGE_LABELS = np.arange(12).reshape(2, 3, 2) % 4


def run(tensors: Any, feeds: Any = None, backend: str = "numpy") -> Any:
    if isinstance(tensors, asg.Tensor):
        return np.asarray(asg.run(tensors, feeds or {}, backend=backend))
    return [np.asarray(each) for each in asg.run(tensors, feeds or {}, backend=backend)]


def assert_as_pytorch(name: str, x: Any, target: Any, ours: Any, theirs: Any) -> None:
    """Value, gradient and the gradient of its square."""
    torch = pytest.importorskip("torch")
    logits = asg.input("logits", x.shape, "float64")
    value = getattr(asg, name)(logits, asg.constant(target), **ours)
    first = asg.grad((value * value).sum(), logits)
    second = asg.grad((first * first).sum(), logits)
    t = torch.tensor(x, requires_grad=True)
    other = theirs.pop("function")
    wanted = getattr(torch.nn.functional, other)(t, torch.tensor(target), **theirs)
    (one,) = torch.autograd.grad((wanted * wanted).sum(), t, create_graph=True)
    (two,) = torch.autograd.grad((one * one).sum(), t)
    for found, expected in zip(
        run([value, first, second], {logits: x}), (wanted, one, two), strict=True
    ):
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ignored", [None, 1])
@pytest.mark.parametrize("image", [False, True])
def test_class_indices_as_pytorch(
    reduction: str, smoothing: float, ignored: int | None, image: bool
) -> None:
    x, target = (IMAGE, IMAGE_LABELS) if image else (LOGITS, LABELS)
    same = {"reduction": reduction, "label_smoothing": smoothing}
    theirs = {"function": "cross_entropy", "ignore_index": -100 if ignored is None else ignored}
    assert_as_pytorch(
        "cross_entropy", x, target, {**same, "ignore_index": ignored}, {**same, **theirs}
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("x", [LOGITS, IMAGE], ids=["matrix", "image"])
def test_class_weights_as_pytorch(reduction: str, smoothing: float, x: Any) -> None:
    weights = np.abs(np.cos(x))
    same = {"reduction": reduction, "label_smoothing": smoothing}
    theirs = {"function": "cross_entropy", **same}
    assert_as_pytorch("cross_entropy", x, weights, same, theirs)


@pytest.mark.parametrize(
    ("name", "other", "options"),
    [
        ("mse_loss", "mse_loss", {}),
        ("huber_loss", "huber_loss", {"delta": 0.7}),
        ("l1_loss", "l1_loss", {}),
        ("binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits", {}),
        ("smooth_l1_loss", "smooth_l1_loss", {"beta": 0.7}),
    ],
)
def test_pairs_as_pytorch(name: str, other: str, options: dict[str, Any]) -> None:
    target = np.abs(np.cos(LOGITS))
    for reduction in ("mean", "sum"):
        same = {**options, "reduction": reduction}
        assert_as_pytorch(name, LOGITS, target, same, {"function": other, **same})


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_extreme_logits_stay_finite(dtype: str, backend: str) -> None:
    logits = asg.input("logits", (3, 3), dtype)
    data = np.array(
        [[2.0**15, -(2.0**15), 0.0], [-(2.0**15), 8192.0, 7168.0], [0.0, 0.0, -(2.0**15)]]
    )
    loss = asg.cross_entropy(logits, np.array([0, 2, 1]), reduction="sum")
    found, gradient = run(
        [loss, asg.grad(loss, logits)], {logits: data.astype(logits.dtype.numpy)}, backend
    )
    assert abs(float(found) - 1024.693) <= (1.0 if dtype == "float32" else 8.0)
    expected = [[0.0, 0.0, 0.0], [0.0, 1.0, -1.0], [0.5, -0.5, 0.0]]
    np.testing.assert_allclose(gradient.astype(float), expected, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("wrong", [-1, -4, 4, 100, -100, -128])
@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_a_wrong_label_is_nan_and_never_another_class(backend: str, wrong: int, dtype: Any) -> None:
    logits = asg.input("logits", LOGITS.shape, "float64")
    target = asg.input("target", (5,), np.dtype(dtype).name)
    labels = LABELS.astype(dtype)
    labels[1] = wrong
    losses = asg.cross_entropy(logits, target, reduction="none")
    gradient = asg.grad(losses.sum(), logits)
    found, slope = run([losses, gradient], {logits: LOGITS, target: labels}, backend)
    assert np.isnan(found).tolist() == [False, True, False, False, False]
    assert np.isnan(slope).all(1).tolist() == [False, True, False, False, False]
    assert np.isfinite(slope[[0, 2, 3, 4]]).all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("kind", ["indices", "ignored", "image", "soft"])
def test_weights_of_classes_as_pytorch(reduction: str, smoothing: float, kind: str) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    x, target = (IMAGE, IMAGE_LABELS) if kind == "image" else (LOGITS, LABELS)
    target = np.abs(np.cos(LOGITS)) if kind == "soft" else target
    ignored: dict[str, Any] = {"ignore_index": 1} if kind == "ignored" else {}
    same: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing, **ignored}
    assert_derivatives_as_pytorch(
        lambda x, t, w: asg.cross_entropy(x, t, w, **same),
        lambda x, t, w: functional.cross_entropy(x, t, w.double(), **same),
        [x, target, np.array([0.5, 2.0, 0.3, 1.1], np.float32)],  # no gradient in PyTorch
    )


def test_everything_ignored_is_nan_as_in_pytorch() -> None:
    loss = asg.cross_entropy(asg.constant(LOGITS), np.full(5, 7), ignore_index=7)
    assert np.isnan(run(loss))


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_gradient_is_softmax_minus_one_hot(backend: str) -> None:
    logits = asg.input("logits", ("batch", 4), "float64")
    target = asg.input("target", ("batch",), "int64")
    loss = asg.cross_entropy(logits, target)
    found = run(asg.grad(loss, logits), {logits: LOGITS, target: LABELS}, backend)
    raised = np.exp(LOGITS)
    expected = (raised / raised.sum(1, keepdims=True) - np.eye(4)[LABELS]) / 5.0
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_exponentials_are_computed_once() -> None:
    """Forward and backward share the log-softmax, and NumPy's kernel for both."""
    logits, target = asg.input("logits", ("batch", 4)), asg.input("target", ("batch",), "int32")
    loss = asg.cross_entropy(logits, target)
    graph = asg.Graph(loss=loss, gradient=asg.grad(loss, logits))
    names = [node.op.name for node in graph.optimize("jax").nodes]
    assert names.count("log_softmax") + names.count("log") == 1
    program: Any = asg.compile(graph).start().program((5, 4), (5,))
    names = [node.op.name for node in program.graph.nodes]
    assert names.count("cross_entropy_and_slope") == 1
    assert not {"cross_entropy", "log_softmax", "exp"} & set(names)


def test_a_loss_alone_has_no_slope() -> None:
    logits, target = asg.input("logits", (5, 4)), asg.input("target", (5,), "int32")
    losses = asg.cross_entropy(logits, target, reduction="none")
    program: Any = asg.compile(asg.Graph(losses=losses)).start().program((5, 4), (5,))
    assert [node.op.name for node in program.graph.nodes if node.inputs] == ["cross_entropy"]


@pytest.mark.parametrize("ending", ["log_softmax", "log of softmax"])
def test_nll_of_a_softmax_is_cross_entropy_in_value_and_slope(ending: str) -> None:
    """Finite where the softmax underflows, and with the short gradient."""
    given = np.array([[0.0, 2000.0, 1.0], [5.0, -3.0, 0.5]])
    logits = asg.input("logits", ("batch", 3), "float64")
    whole = ending == "log_softmax"
    x = asg.log_softmax(logits, 1) if whole else asg.log(asg.softmax(logits, 1))
    loss = asg.nll_loss(x, asg.constant([0, 1]), reduction="sum")
    graph = asg.Graph(loss=loss, slope=asg.grad(loss, logits))
    names = {node.op.name for node in graph.optimize().nodes}
    assert {"cross_entropy", "cross_entropy_and_slope"} <= names and "nll_loss" not in names
    result = asg.compile(graph)(logits=given)
    raised = np.exp(given - given.max(1, keepdims=True))
    chance = raised / raised.sum(1, keepdims=True)
    np.testing.assert_allclose(result["loss"], 2000.0 - np.log(chance[1, 1]), rtol=1e-12)
    np.testing.assert_allclose(result["slope"], chance - np.eye(3)[[0, 1]], atol=1e-12)


def test_a_vector_of_logits_is_one_example() -> None:
    found = run(asg.cross_entropy(asg.constant(LOGITS[0]), asg.constant(2)))
    row = LOGITS[0]
    np.testing.assert_allclose(found, np.log(np.exp(row).sum()) - row[2], rtol=1e-12)


def test_binary_cross_entropy_keeps_its_digits_where_it_is_small() -> None:
    found = run(
        asg.binary_cross_entropy_with_logits(
            asg.constant(np.array([40.0], np.float32)), [1.0], reduction="sum"
        )
    )
    np.testing.assert_allclose(found, np.exp(-40.0), rtol=1e-5)


def test_wrong_arguments_are_refused() -> None:
    logits, target = asg.input("logits", ("batch", 4)), asg.input("target", ("batch",), "int32")
    with pytest.raises(ShapeError, match=r"target is i32\[batch, 1\], expected shape \[batch\]"):
        asg.cross_entropy(logits, asg.input("t", ("batch", 1), "int32"))
    with pytest.raises(ShapeError, match="class weights have the shape of logits"):
        asg.cross_entropy(logits, asg.input("t", ("batch", 5)))
    with pytest.raises(DtypeError, match="target is bool, a floating dtype is needed"):
        asg.cross_entropy(logits, asg.input("t", ("batch", 4), "bool"))
    with pytest.raises(OperandError, match="choose 'none', 'mean' or 'sum'"):
        asg.cross_entropy(logits, target, reduction="average")  # type: ignore[arg-type]
    with pytest.raises(OperandError, match=r"label_smoothing is 1\.5"):
        asg.cross_entropy(logits, target, label_smoothing=1.5)
    with pytest.raises(OperandError, match=r"ignore_index is 1\.0"):
        asg.cross_entropy(logits, target, ignore_index=1.0)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="ignore_index is -100, no uint8 equals that"):
        asg.cross_entropy(logits, target.astype("uint8"), ignore_index=-100)
    with pytest.raises(OperandError, match="ignore_index needs class indices"):
        asg.cross_entropy(logits, logits, ignore_index=1)
    with pytest.raises(ShapeError, match=r"weight is f32\[3\], expected shape \[4\]"):
        asg.cross_entropy(logits, target, asg.input("w", (3,)))
    with pytest.raises(OperandError, match="beta is -1"):
        asg.smooth_l1_loss(logits, logits, beta=-1)
    with pytest.raises(OperandError, match="delta is 0"):
        asg.huber_loss(logits, logits, delta=0)
    for function in (
        asg.mse_loss,
        asg.l1_loss,
        asg.huber_loss,
        asg.binary_cross_entropy_with_logits,
    ):
        with pytest.raises(ShapeError, match="losses do not broadcast"):
            function(logits, asg.input("t", (4,)))
