"""Negative logarithms of probabilities against PyTorch, at extremes, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.ops.pytorch import assert_as_pytorch

LOGITS = np.sin(np.arange(20.0) * 1.3 + 0.2).reshape(5, 4) * 3.0
SHARES = np.abs(np.cos(np.arange(20.0) * 0.7 + 0.3)).reshape(5, 4) * 0.98 + 0.01
COUNTS = SHARES * 4.0 + 0.05
LABELS = np.array([2, 0, 3, 1, 1])
WEIGHTS = np.array([0.5, 2.0, 0.3, 1.1])
REDUCTIONS = ["none", "mean", "sum"]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_binary_as_pytorch(reduction: Any, weighted: bool) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    # PyTorch refuses gradients by weights.
    extra = [WEIGHTS.astype(np.float32), COUNTS[0].astype(np.float32)] if weighted else []
    assert_as_pytorch(
        lambda x, t, w=None, p=None: asg.binary_cross_entropy_with_logits(
            x, t, w, pos_weight=p, reduction=reduction
        ),
        lambda x, t, w=None, p=None: functional.binary_cross_entropy_with_logits(
            x,
            t,
            None if w is None else w.double(),
            pos_weight=None if p is None else p.double(),
            reduction=reduction,
        ),
        [LOGITS, SHARES, *extra],
    )
    weight = [WEIGHTS.astype(np.float32)] if weighted else []
    assert_as_pytorch(
        lambda x, t, w=None: asg.binary_cross_entropy(x, t, w, reduction=reduction),
        lambda x, t, w=None: functional.binary_cross_entropy(
            x, t, None if w is None else w.double(), reduction=reduction
        ),
        [SHARES[::-1].copy(), SHARES, *weight],
        tolerance=1e-8,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("ignored", [-100, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_labels_as_pytorch(reduction: str, ignored: int, weighted: bool) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    options: dict[str, Any] = {"reduction": reduction, "ignore_index": ignored}
    weight = [WEIGHTS.astype(np.float32)] if weighted else []
    assert_as_pytorch(
        lambda x, t, w=None: asg.nll_loss(x, t, w, **options),
        lambda x, t, w=None: functional.nll_loss(
            x, t, None if w is None else w.double(), **options
        ),
        [LOGITS, LABELS, *weight],
    )


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum", "batchmean"])
@pytest.mark.parametrize("log_target", [False, True])
def test_divergence_as_pytorch(reduction: Any, log_target: bool) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    options: dict[str, Any] = {"reduction": reduction, "log_target": log_target}
    assert_as_pytorch(
        lambda x, t: asg.kl_div(x, t, **options),
        lambda x, t: functional.kl_div(x, t, **options),
        [LOGITS, SHARES],
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("full", [False, True])
def test_counts_and_measurements_as_pytorch(reduction: str, full: bool) -> None:
    functional = pytest.importorskip("torch.nn.functional")
    options: dict[str, Any] = {"reduction": reduction, "full": full}
    for log_input, x in ((True, LOGITS), (False, SHARES)):
        more = {**options, "log_input": log_input}
        assert_as_pytorch(
            lambda x, t, o=more: asg.poisson_nll_loss(x, t, **o),
            lambda x, t, o=more: functional.poisson_nll_loss(x, t, **o),
            [x, COUNTS],
        )
    assert_as_pytorch(
        lambda x, t, v: asg.gaussian_nll_loss(x, t, v, eps=0.5, **options),
        lambda x, t, v: functional.gaussian_nll_loss(x, t, v, eps=0.5, **options),
        [LOGITS, SHARES, COUNTS],
    )


@pytest.mark.parametrize("alpha", [0.3, None])
@pytest.mark.parametrize("gamma", [0.0, 2.0, 1.5])
def test_focal_loss_as_written_in_the_paper(alpha: float | None, gamma: float) -> None:
    torch = pytest.importorskip("torch")

    def theirs(x: Any) -> Any:
        t = torch.tensor((SHARES > 0.5).astype(float))
        right = torch.where(t == 1, x.sigmoid(), 1 - x.sigmoid())
        share = 1.0 if alpha is None else alpha * t + (1 - alpha) * (1 - t)
        return (-share * (1 - right) ** gamma * right.log()).mean()

    target = (SHARES > 0.5).astype(float)
    assert_as_pytorch(
        lambda x: asg.focal_loss(x, target, alpha=alpha, gamma=gamma), theirs, [LOGITS]
    )


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_extremes_are_finite_with_finite_gradients(dtype: str, backend: str) -> None:
    x = asg.input("x", (4,), dtype)
    target = np.array([0.0, 1.0, 1.0, 0.0])
    data = np.array([30000.0, -30000.0, 30000.0, -30000.0])
    wide = asg.constant(target.astype(x.dtype.numpy))
    losses = [
        asg.binary_cross_entropy_with_logits(x, wide, reduction="none"),
        asg.binary_cross_entropy_with_logits(x, wide, pos_weight=2.0, reduction="none"),
        asg.focal_loss(x, wide, reduction="none"),
        asg.focal_loss(x, wide, gamma=0.5, reduction="none"),
        asg.kl_div(x, wide, reduction="none"),
    ]
    slopes = [asg.grad(loss.sum(), x) for loss in losses]
    for found in asg.run([*losses, *slopes], {x: data.astype(x.dtype.numpy)}, backend=backend):
        assert np.isfinite(np.asarray(found).astype(float)).all()


def test_a_weighted_binary_loss_keeps_its_digits_where_it_is_small() -> None:
    x = asg.constant(np.array([40.0, -40.0], np.float32))
    losses = asg.binary_cross_entropy_with_logits(x, [1.0, 0.0], pos_weight=1.0, reduction="none")
    np.testing.assert_allclose(asg.run(losses), np.exp([-40.0, -40.0]), rtol=1e-5)


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda x: asg.binary_cross_entropy(x, x[0]), ShapeError, "losses do not broadcast"),
    (lambda x: asg.binary_cross_entropy(x, x, [1.0, 2.0]), ShapeError, "broadcast"),
    (lambda x: asg.binary_cross_entropy_with_logits(x, x, pos_weight=[1.0, 2.0]), ShapeError,
     "broadcast"),
    (lambda x: asg.focal_loss(x, x, gamma=-1), OperandError, "gamma is -1"),
    (lambda x: asg.focal_loss(x, x, alpha=2), OperandError, "alpha is 2"),
    (lambda x: asg.nll_loss(x, x), DtypeError, "integers are needed"),
    (lambda x: asg.nll_loss(x, asg.input("t", ("n", 1), "int32")), ShapeError, "expected shape"),
    (lambda x: asg.nll_loss(x, asg.input("t", ("n",), "int32"), [1.0]), ShapeError,
     "one weight for each class"),
    (lambda x: asg.kl_div(x, x[0]), ShapeError, "losses do not broadcast"),
    (lambda x: asg.gaussian_nll_loss(x, x, 1.0, eps=0), OperandError, r"eps is 0\.0"),
    (lambda x: asg.poisson_nll_loss(x.astype("int32"), x.astype("int32")), DtypeError, "floating"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_wrong_arguments_are_refused(build: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build(asg.input("x", ("n", 4)))
