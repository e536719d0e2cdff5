"""Value, gradient and the gradient of its square of asg's function against PyTorch's."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import asg


def assert_as_pytorch(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    arrays: Sequence[Any],
    order: int = 2,
    backend: str = "numpy",
    tolerance: float = 1e-9,
) -> None:
    """Both functions on the same float64 arrays; other arrays are passed as constants."""
    torch = pytest.importorskip("torch")
    chosen = [i for i, each in enumerate(arrays) if each.dtype == np.float64]
    inputs = [asg.input(f"x{i}", each.shape, each.dtype.name) for i, each in enumerate(arrays)]
    tensors = [torch.tensor(each, requires_grad=i in chosen) for i, each in enumerate(arrays)]
    found = _derivatives(ours(*inputs), [inputs[i] for i in chosen], order, asg.grad)
    wanted = _derivatives(
        theirs(*tensors),
        [tensors[i] for i in chosen],
        order,
        lambda y, x: torch.autograd.grad(y, x, create_graph=True, materialize_grads=True),
    )
    feeds = dict(zip(inputs, arrays, strict=True))
    numbers = asg.run(found, feeds, backend=backend)
    assert len(numbers) == len(wanted)
    for number, expected in zip(numbers, wanted, strict=True):
        expected = expected.detach().numpy()
        assert np.shape(number) == expected.shape
        np.testing.assert_allclose(np.asarray(number), expected, rtol=tolerance, atol=1e-11)


def _derivatives(y: Any, x: Sequence[Any], order: int, grad: Callable[..., Any]) -> list[Any]:
    first = list(grad((y * y + y).sum(), x))
    if order == 1:
        return [y, *first]
    return [y, *first, *grad(sum((each * each).sum() for each in first), x)]
