"""Ops that say they are elementwise are: where elements go in reversed, they come out reversed."""

import numpy as np
import pytest

import asg
from asg.core.op import Op
from asg.core.registry import OPS
from asg.testing import samples as samples  # registers them
from asg.testing.sample import SAMPLES

ELEMENTWISE = [op for name, op in sorted(OPS.items()) if op.broadcasts and op in SAMPLES]


@pytest.mark.parametrize("op_class", ELEMENTWISE, ids=lambda each: str(each.name))
def test_every_element_is_computed_from_its_place_alone(op_class: type[Op]) -> None:
    for sample in SAMPLES[op_class]:
        whole = np.broadcast_arrays(*sample.operands)
        inputs = [asg.input(f"x{i}", a.shape, str(a.dtype)) for i, a in enumerate(whole)]
        outputs = sample.op.apply(*inputs)
        program = asg.compile(asg.Graph(y=outputs[0]))
        there = program(*[a.ravel()[::-1].reshape(a.shape) for a in whole])
        here = program(*whole)
        assert len(outputs) == 1 and outputs[0].shape == whole[0].shape
        assert there["y"].ravel()[::-1].tobytes() == here["y"].tobytes()


def test_the_elementwise_ops_are_many() -> None:
    assert len(ELEMENTWISE) > 70
    assert not {OPS["prelu"], OPS["softmax"], OPS["sum"], OPS["matmul"]} & set(ELEMENTWISE)
