"""The contract test fails when it should: one deliberate defect at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import pytest

import asg.testing.samples  # noqa: F401 - registers them
from asg.core.op import Op
from asg.core.registry import OPS, call
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.testing.op_contract import check_op, contract_problems
from asg.testing.sample import SAMPLES, Sample

NUMPY_KERNELS = import_module("asg.backends.numpy_cpu.kernel")
JAX_KERNELS = import_module("asg.backends.jax_xla.kernel")
POINT = np.random.default_rng(5).normal(size=(2, 3))


@pytest.fixture(autouse=True)
def ops_as_before() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def problems(name: str, *backends: str) -> list[str]:
    return contract_problems(OPS[name], backends=("numpy", *backends))


def only(found: Sequence[str], clause: str) -> bool:
    """There are problems, and the named clause is among them."""
    return any(f": {clause}: " in problem for problem in found)


# -- defects in ops that exist --------------------------------------------------------------------


def test_the_ops_below_keep_the_contract_as_they_are() -> None:
    for name in ("tanh", "sum", "exp", "multiply"):
        assert problems(name, "jax") == []


def test_a_gradient_without_its_square(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Op, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        return [cotangents[0] * (1.0 - outputs[0])]

    monkeypatch.setattr(OPS["tanh"], "vjp", wrong)
    found = problems("tanh")
    assert only(found, "gradient")
    assert any("finite differences give" in problem for problem in found)


def test_infer_that_ignores_keepdims(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, x: TensorType) -> TensorType:
        kept = [size for axis, size in enumerate(x.shape) if axis not in self.axis]
        return x.with_shape(kept)

    monkeypatch.setattr(OPS["sum"], "infer", wrong)
    assert only(problems("sum"), "types")


def test_a_numpy_kernel_with_a_wrong_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(op: Op, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return [(np.exp2, (inputs[0], outputs[0]))]

    kernel = NUMPY_KERNELS.KERNELS[OPS["exp"]]
    monkeypatch.setitem(NUMPY_KERNELS.KERNELS, OPS["exp"], replace(kernel, bind=wrong))
    assert only(problems("exp"), "value")


def test_a_numpy_kernel_that_is_slightly_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(op: Op, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return [
            (np.multiply, (inputs[0], inputs[1], outputs[0])),
            (np.multiply, (outputs[0], 1.0 + 1e-11, outputs[0])),
        ]

    kernel = NUMPY_KERNELS.KERNELS[OPS["multiply"]]
    changed = replace(kernel, bind=wrong, inplace=False)
    monkeypatch.setitem(NUMPY_KERNELS.KERNELS, OPS["multiply"], changed)
    assert only(problems("multiply"), "value")


def test_a_jax_kernel_with_a_wrong_value(monkeypatch: pytest.MonkeyPatch) -> None:
    right = JAX_KERNELS.KERNELS[OPS["tanh"]]

    def wrong(op: Op, x: Any) -> Any:
        return 0.999 * x

    changed = replace(right, function=wrong) if hasattr(right, "function") else wrong
    monkeypatch.setitem(JAX_KERNELS.KERNELS, OPS["tanh"], changed)
    assert problems("tanh") == []
    assert any("jax differs from numpy" in problem for problem in problems("tanh", "jax"))


def test_a_wrong_oracle() -> None:
    sample = SAMPLES[OPS["exp"]][0]
    wrong = replace(sample, oracle=lambda x: np.exp(x) + 1e-9)
    assert only(contract_problems(OPS["exp"], [wrong], ["numpy"]), "value")


def test_a_wrong_expected_subgradient() -> None:
    (sample,) = [s for s in SAMPLES[OPS["abs"]] if s.kink is not None][:1]
    assert sample.kink is not None
    shifted = [None if each is None else each + 0.5 for each in sample.kink]
    wrong = replace(sample, kink=shifted)
    assert only(contract_problems(OPS["abs"], [wrong], ["numpy"]), "gradient")


# -- an op of our own, right and with one defect each ------------------------------------------


def good_body() -> dict[str, Any]:
    """``factor * tanh(x)``, a composite with a gradient of its own."""

    def infer(self: Any, x: TensorType) -> TensorType:
        return x.require_float("x")

    def decompose(self: Any, x: Tensor) -> Any:
        return call("tanh", x) * self.factor

    def vjp(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        slope = 1.0 - call("tanh", inputs[0]) * call("tanh", inputs[0])
        return [cotangents[0] * slope * self.factor]

    return {
        "__doc__": "factor * tanh(x).",
        "__annotations__": {"factor": float},
        "factor": 2.0,
        "category": "activation",
        "infer": infer,
        "decompose": decompose,
        "vjp": vjp,
    }


def op_with(**changes: Any) -> Any:
    body = good_body() | changes
    return type("ScaledForTest", (Op,), {k: v for k, v in body.items() if v is not None})


def samples_of(op_class: type[Op], **changes: Any) -> list[Sample]:
    sample = Sample(op_class(), (POINT,), lambda x: 2.0 * np.tanh(x), (("n", 3),))
    return [replace(sample, **changes)]


def broken(op_class: type[Op], **changes: Any) -> list[str]:
    return contract_problems(op_class, samples_of(op_class, **changes), ["numpy"])


def test_the_op_without_defect_passes() -> None:
    assert broken(op_with()) == []
    op_class = op_with()
    check_op(op_class, samples_of(op_class), ["numpy", "jax"])


def test_check_op_raises_with_every_problem() -> None:
    with pytest.raises(AssertionError, match="ScaledForTest breaks the op contract") as caught:
        check_op(op_with(__doc__=None), [], ["numpy"])
    assert "no docstring" in str(caught.value)
    assert "no samples" in str(caught.value)


def _wrong_slope(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    return [cotangents[0] * 2.0]


def _not_linear(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    slope = 1.0 - call("tanh", inputs[0]) * call("tanh", inputs[0])
    return [cotangents[0] * slope * self.factor + (cotangents[0] - cotangents[0] * 1.0)
            + 1e-3 * cotangents[0] * cotangents[0]]  # fmt: skip


def _right_but_cut_off(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    tanh = call("stop_gradient", call("tanh", inputs[0]))
    return [cotangents[0] * (1.0 - tanh * tanh) * self.factor]


def _none(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    return [None]


def _failing(self: Any, inputs: Any, outputs: Any, cotangents: Any) -> Any:
    raise ZeroDivisionError("rule with a defect")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (_wrong_slope, "finite differences give"),
        (_wrong_slope, "by the vjp"),
        (_not_linear, "finite differences give"),
        (_right_but_cut_off, "second derivative"),
        (_none, "finite differences give"),
        (_failing, "ZeroDivisionError: rule with a defect"),
    ],
)
def test_defects_of_gradient_rules(rule: Callable[..., Any], text: str) -> None:
    assert any(text in problem for problem in broken(op_with(vjp=rule)))


def _row_sums(self: Any, x: Tensor) -> Tensor:
    return call("tanh", x).sum(1)


def _other_value(self: Any, x: Tensor) -> Any:
    return call("sin", x) * self.factor


def _float32_inside(self: Any, x: Tensor) -> Any:
    return call("tanh", x.astype("float32")).astype("float64") * self.factor


@pytest.mark.parametrize(
    ("decompose", "clause"),
    [(_row_sums, "decomposition"), (_other_value, "value"), (_float32_inside, "value")],
)
def test_defects_of_decompositions(decompose: Callable[..., Any], clause: str) -> None:
    assert only(broken(op_with(decompose=decompose)), clause)


def _always_two_rows(self: Any, x: TensorType) -> TensorType:
    return x.with_shape((2, *x.shape[1:]))


def _float32(self: Any, x: TensorType) -> TensorType:
    return TensorType.of("float32", x.shape)


def test_defects_of_infer() -> None:
    assert only(broken(op_with(infer=_float32)), "types")
    assert only(broken(op_with(infer=_always_two_rows)), "symbolic decomposition")


def test_defects_of_the_cost() -> None:
    assert only(broken(op_with(flops=lambda self, inputs, outputs: -1)), "cost")
    assert only(broken(op_with(flops=lambda self, inputs, outputs: 1.5)), "cost")
    counted = op_with(flops=lambda self, inputs, outputs: 6)
    assert broken(counted) == []
    wrong = op_with(flops=lambda self, inputs, outputs: 5 if inputs[0].is_static else 6)
    assert only(broken(wrong), "symbolic types")


def test_defects_of_the_class() -> None:
    assert "the class has no docstring" in broken(op_with(__doc__=None))
    no_rules = op_with(vjp=None, decompose=None)
    assert any("state differentiable = False" in problem for problem in broken(no_rules))
    assert any("no sample is compared" in p for p in broken(op_with(), differentiate=()))
    assert any("no sample names symbolic" in p for p in broken(op_with(), symbolic=None))
    elementwise = broken(op_with(category="elementwise"))
    assert {"no sample of scalars", "no sample without elements"} <= set(elementwise)


def test_attributes_that_do_not_hash() -> None:
    listed = op_with(__annotations__={"factor": float, "axes": list}, axes=())
    found = contract_problems(
        listed, [replace(each, op=listed(axes=[1])) for each in samples_of(listed)], ["numpy"]
    )
    assert any("not hashable" in problem for problem in found)


def test_a_sample_of_another_op() -> None:
    other = SAMPLES[OPS["exp"]][:1]
    found = contract_problems(op_with(), other, ["numpy"])
    assert any("is of another op" in problem for problem in found)


def test_a_sample_at_a_kink_that_does_not_say_so() -> None:
    class ScaledForTest(Op):
        """max(x, 0)."""

        category: ClassVar[str] = "activation"

        def infer(self, x: TensorType) -> TensorType:
            return x

        def decompose(self, x: Tensor) -> Tensor:
            return call("maximum", x, 0.0)

    at_zero = Sample(
        ScaledForTest(), (np.array([1.0, 0.0]),), lambda x: np.maximum(x, 0.0), (("n",),)
    )
    assert contract_problems(ScaledForTest, [at_zero], ["numpy"])
