"""The audit of a gradient: what it finds, where it points, and what it leaves alone."""

from __future__ import annotations

from typing import ClassVar

import pytest

import asg
from asg import nn
from asg.core.registry import OPS
from asg.core.types import TensorType


def test_an_ordinary_model_is_fine_and_tells_what_backward_reads() -> None:
    net = nn.Sequential(fc1=nn.Linear(4, 8), act=nn.ReLU(), fc2=nn.Linear(8, 3))
    x, y = asg.input("x", ("batch", 4)), asg.input("y", ("batch",), "int32")
    report = asg.audit(asg.cross_entropy(net(x), y), net.parameters())
    assert report.ok
    names = [tensor.node.op.name for tensor in report.saved]
    assert names == ["add", "relu", "permute_dims", "add"]
    batch = asg.dim("batch")
    assert report.saved_bytes == 4 * (8 * batch + 8 * batch + 24 + 3 * batch)
    assert "nothing suspicious" in str(report)


def test_unreached_values_are_named_with_the_reason() -> None:
    w, v, q = (asg.parameter(name, (4,), init=0.0) for name in "wvq")
    count = asg.input("count", (4,), "int32")
    loss = asg.sum(w * count + asg.floor(v))
    report = asg.audit(loss, {"w": w, "v": v, "q": q, "count": count})
    assert report.unreached == {
        "v": "every path ends at an op without gradient",
        "q": "not part of the loss",
        "count": "i32[4] is not floating",
    }


@pytest.mark.parametrize("op", [asg.floor, asg.sign, asg.stop_gradient, asg.round])
def test_breaks_are_found(op: object) -> None:
    x = asg.input("x", (3,))
    report = asg.audit(asg.sum(x + op(x)), x)  # type: ignore[operator]
    assert [finding.kind for finding in report.findings] == ["break"]
    assert "test_audit.py" in str(report.findings[0])


def test_a_cast_to_integers_is_a_break_and_a_comparison_is_not() -> None:
    x = asg.input("x", (3,))
    rounded = x.astype("int32").astype("float32")
    report = asg.audit(asg.sum(asg.where(x > 0.0, x, 0.0) * rounded), x)
    assert [finding.node.op.name for finding in report.of_kind("break")] == ["cast"]


@pytest.mark.parametrize(
    ("singular", "guarded"),
    [
        (lambda x: asg.log(x), lambda x: asg.log(asg.where(x > 0.0, x, 1.0))),
        (lambda x: 1.0 / x, lambda x: x),
        (lambda x: asg.sqrt(x) * 2.0, lambda x: asg.abs(x)),
    ],
)
def test_singular_branches_of_where_are_hazards(singular, guarded) -> None:  # type: ignore[no-untyped-def]
    x = asg.input("x", (3,))
    report = asg.audit(asg.sum(asg.where(x > 0.0, singular(x), 0.0)), x)
    assert [finding.kind for finding in report.findings] == ["hazard"]
    assert "guard the operand" in str(report)
    assert asg.audit(asg.sum(singular(x)), x).ok


def test_the_hazard_is_real() -> None:
    x = asg.input("x", (2,))
    gradient = asg.grad(asg.sum(asg.where(x > 0.0, asg.sqrt(x), 0.0)), x)
    found = asg.run(gradient, {x: [-1.0, 4.0]})
    assert found[1] == 0.25
    assert found[0] != 0.0  # NaN: what the audit warns of


def test_downcasts_are_found() -> None:
    x = asg.input("x", (3,), "float64")
    report = asg.audit(asg.sum(x.astype("float32")), x)
    assert [str(f.kind) for f in report.findings] == ["downcast"]
    assert "float64 is rounded to float32" in str(report)


def test_ops_without_a_rule_are_listed_with_their_path() -> None:
    class Opaque(asg.Op):
        """A primitive without gradient."""

        category: ClassVar[str] = "elementwise"

        def infer(self, x: TensorType) -> TensorType:
            return x

    try:
        x = asg.input("x", (3,))
        report = asg.audit(asg.sum(Opaque()(x)), x)
        assert [finding.kind for finding in report.findings] == ["no rule"]
        assert "sum" in str(report)
    finally:
        del OPS["opaque"]
