"""Every registered op keeps the op contract. There is no list of exceptions.

What is checked stands in `asg/testing/op_contract.py`; what is known of each op, in its samples
(`asg/testing/samples`). An op without samples fails.
"""

import pytest

import asg.testing.samples  # noqa: F401 - registers them
from asg.core.dtype import bfloat16, float16
from asg.core.op import Op
from asg.core.registry import OPS
from asg.testing.backend_parity import parity_with
from asg.testing.op_contract import contract_problems
from asg.testing.sample import SAMPLES

OP_CLASSES = [each for _, each in sorted(OPS.items()) if each.__module__.startswith("asg.")]


@pytest.mark.parametrize("op_class", OP_CLASSES, ids=lambda each: str(each.name))
def test_op_keeps_its_contract(op_class: type[Op]) -> None:
    problems = contract_problems(op_class)
    assert not problems, "\n".join(["", *problems])


@pytest.mark.parametrize("op_class", OP_CLASSES, ids=lambda each: str(each.name))
def test_the_default_pipeline_keeps_values_and_gradients(op_class: type[Op]) -> None:
    problems = parity_with("numpy", SAMPLES.get(op_class, []), optimized=True)
    assert not problems, "\n".join(["", *problems])


@pytest.mark.slow
@pytest.mark.parametrize("op_class", OP_CLASSES, ids=lambda each: str(each.name))
def test_backends_agree_in_half_precision_and_optimized(op_class: type[Op]) -> None:
    samples = SAMPLES.get(op_class, [])
    problems = parity_with("jax", samples, (float16, bfloat16), optimized=True)
    assert not problems, "\n".join(["", *problems])


def test_samples_belong_to_registered_ops() -> None:
    assert {each.name for each in SAMPLES} <= set(OPS)
