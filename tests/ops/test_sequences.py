"""CTC against PyTorch, where nothing fits, with wrong labels, and what it refuses."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError

Z = np.sin(np.arange(72.0) * 1.7 + 0.4).reshape(6, 3, 4) * 2.0
TARGETS = np.array([[1, 2, 2], [3, 1, 1], [1, 1, 1]])
STEPS = np.array([6, 5, 4])
LENGTHS = np.array([3, 2, 0])


def both(
    z: Any, targets: Any, steps: Any, lengths: Any, backend: str = "numpy", **options: Any
) -> Any:
    logits = asg.input("z", z.shape, z.dtype.name)
    loss = asg.ctc_loss(asg.log_softmax(logits), targets, steps, lengths, **options)
    return asg.run([loss, asg.grad(loss.sum(), logits)], {logits: z}, backend=backend)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("blank", [0, 3])
def test_by_logits_as_pytorch(reduction: str, blank: int) -> None:
    torch = pytest.importorskip("torch")
    targets = TARGETS if blank == 0 else TARGETS - 1
    found = both(Z, targets, STEPS, LENGTHS, blank=blank, reduction=reduction)
    z = torch.tensor(Z, requires_grad=True)
    wanted = torch.nn.functional.ctc_loss(
        z.log_softmax(-1), *map(torch.tensor, (targets, STEPS, LENGTHS)), blank, reduction
    )
    (slope,) = torch.autograd.grad(wanted.sum(), z)
    np.testing.assert_allclose(found[0], wanted.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(found[1], slope.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_extreme_logits_are_finite_in_both_backends(backend: str) -> None:
    z = (Z * 1000.0).astype(np.float32)
    for found in both(z, TARGETS, STEPS, LENGTHS, backend, reduction="none"):
        assert np.isfinite(found).all()


def test_what_does_not_fit_is_infinite_or_zero_by_choice() -> None:
    lengths, steps = np.array([3, 2, 1]), np.array([2, 5, 4])
    losses, _ = both(Z, TARGETS, steps, lengths, reduction="none")
    assert np.isinf(losses).tolist() == [True, False, False]
    losses, slope = both(Z, TARGETS, steps, lengths, reduction="none", zero_infinity=True)
    assert losses[0] == 0.0 and np.isfinite(slope).all()
    assert not slope[:, 0].any() and slope[:, 1].any()


@pytest.mark.parametrize("wrong", [-1, 4, 100])
def test_a_wrong_label_is_nan_and_padding_is_not_read(wrong: int) -> None:
    targets = TARGETS.copy()
    targets[1, 2] = wrong  # beyond the length
    losses, slope = both(Z, targets, STEPS, LENGTHS, reduction="none")
    assert np.isfinite(losses).all() and np.isfinite(slope).all()
    targets[1, 1] = wrong
    losses, _ = both(Z, targets, STEPS, LENGTHS, reduction="none")
    assert np.isnan(losses).tolist() == [False, True, False]


def of(*shape: Any, dtype: str = "int32") -> asg.Tensor:
    return asg.input("x", shape, dtype)


def test_wrong_arguments_are_refused() -> None:
    x = of(6, 3, 4, dtype="float32")
    with pytest.raises(ShapeError, match="a row of classes for each example"):
        asg.ctc_loss(x, of(2, 5), of(3), of(3))
    with pytest.raises(ShapeError, match="one number for each example"):
        asg.ctc_loss(x, of(3, 5), of(2), of(3))
    with pytest.raises(ShapeError, match="targets has 2 axes, 1 are needed"):
        asg.ctc_loss(x[0], of(3, 5), of(3), of(3))
    with pytest.raises(OperandError, match="blank is 4"):
        asg.ctc_loss(x, of(3, 5), of(3), of(3), blank=4)
    with pytest.raises(DtypeError, match="integers are needed"):
        asg.ctc_loss(x, of(3, 5, dtype="float32"), of(3), of(3))
