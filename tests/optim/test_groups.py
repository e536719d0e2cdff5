"""Parameter groups and the selectors they share with weight decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from tests.optim.problem import START, assert_same, session_of, trained, trained_by_torch


def is_flat(name: str, tensor: asg.Tensor) -> bool:
    return tensor.ndim < 2


def test_groups_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")

    def make(p: list[Any]) -> Any:
        scalar, vector, matrix, kernel = p
        return torch.optim.AdamW(
            [
                {"params": [scalar, vector], "weight_decay": 0.0},
                {"params": [matrix], "lr": 0.01},
                {"params": [kernel], "amsgrad": True, "betas": (0.8, 0.9)},
            ],
            lr=0.05,
            weight_decay=0.1,
        )

    optimizer = optim.groups(
        {
            is_flat: optim.adamw(0.05, weight_decay=0.0),
            "mat*": optim.adamw(0.01, weight_decay=0.1),
        },
        default=optim.adamw(0.05, (0.8, 0.9), weight_decay=0.1, amsgrad=True),
    )
    assert_same(trained(optimizer, 20), trained_by_torch(torch, make, 20))


def test_no_decay_is_a_group_without_decay() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")

    def make(p: list[Any]) -> Any:
        groups = [{"params": p[:2], "weight_decay": 0.0}, {"params": p[2:]}]
        return torch.optim.SGD(groups, lr=0.02, momentum=0.9, weight_decay=0.2)

    for spared in ("[sv]*", ["scalar", "vec*"], is_flat):
        optimizer = optim.sgd(0.02, 0.9, weight_decay=0.2, no_decay=spared)
        assert_same(trained(optimizer, 5), trained_by_torch(torch, make, 5))


def test_the_first_selector_takes_a_parameter() -> None:
    optimizer = optim.groups({"[sv]*": optim.sgd(0.0), "*": optim.sgd(0.1)})
    after = trained(optimizer, 1)[0]
    moved = {name for name in START if not np.array_equal(after[name], START[name])}
    assert moved == {"matrix", "kernel"}


class Net(nn.Module):
    def __init__(self) -> None:
        self.body = nn.Linear(2, 3)
        self.head = nn.Linear(3, 1)

    def forward(self, x: Any) -> Any:
        return self.head(asg.tanh(self.body(x)))


def test_modules_select_their_parameters_under_their_full_names() -> None:
    inner = Net()
    net = nn.Sequential(inner=inner)
    optimizer = optim.groups({inner.head: optim.sgd(0.1)}, default=optim.sgd(0.0))
    step = asg.train_step(net, loss=asg.mse_loss, optimizer=optimizer)(x=(4, 2), y=(4, 1))
    session = asg.compile(step).start()
    before = session.state_dict()
    session(x=np.ones((4, 2), np.float32), y=np.ones((4, 1), np.float32))
    after = session.state_dict()
    moved = {name for name in before if not np.array_equal(after[name], before[name])}
    assert moved == {"inner.head.weight", "inner.head.bias"}


def test_state_goes_by_group() -> None:
    optimizer = optim.groups({"matrix": optim.adam(0.1), "kernel": optim.sgd(0.1, 0.9)},
                             default=optim.lion(0.1))  # fmt: skip
    assert set(session_of(optimizer).state_dict(role="optimizer")) == {
        "optimizer.group_1.adam.count",
        "optimizer.group_1.adam.m.matrix",
        "optimizer.group_1.adam.v.matrix",
        "optimizer.group_2.momentum.buffer.kernel",
        "optimizer.default.lion.m.scalar",
        "optimizer.default.lion.m.vector",
    }


def test_groups_combine_with_what_wraps_them() -> None:
    inner = optim.groups({"matrix": optim.sam(optim.sgd(0.01))}, default=optim.sgd(0.01))
    both = optim.chain(optim.groups({"*": optim.sgd(0.01)}), optim.ema(0.5))
    assert_same(
        [{"kernel": each["kernel"]} for each in trained(inner, 1)],
        [{"kernel": each["kernel"]} for each in trained(both, 1)],
        1e-12,
    )
    with pytest.raises(asg.AsgError, match="groups computes gradients of its own"):
        optim.chain(optim.centralize(), inner)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: optim.groups({}), "at least one selector"),
        (lambda: optim.groups({3: optim.sgd()}), "3 selects no parameters"),
        (
            lambda: trained(optim.groups({"*.bias": optim.sgd()}, optim.sgd()), 1),
            r"'\*\.bias' selects no parameter; the trained ones are scalar, vector, matrix, kernel",
        ),
        (
            lambda: trained(optim.groups({"*": optim.sgd(), "mat*": optim.sgd()}), 1),
            r"'mat\*' selects only parameters that a selector before it took: matrix",
        ),
        (
            lambda: trained(optim.groups({"matrix": optim.sgd()}), 1),
            "no group takes scalar, vector, kernel",
        ),
        (
            lambda: trained(optim.groups({nn.Linear(2, 2): optim.sgd()}, optim.sgd()), 1),
            "module Linear selects no parameter",
        ),
    ],
)
def test_what_is_wrong_is_listed(make: Callable[[], object], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        make()
