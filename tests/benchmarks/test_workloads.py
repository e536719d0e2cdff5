"""Every workload computes the same on asg as in NumPy written by hand."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from benchmarks.peers import PEERS
from benchmarks.workload import Step
from benchmarks.workloads import HELD_BACK, INFERENCE, TRAINING, names, workload

RANDOM = "gpt_dropout"
ALIKE = {"deep300", "deep1000", "digits"}  # in their tiny forms like another


def first_values(peer: str, name: str, count: int = 5) -> list[float]:
    step: Step = PEERS[peer].load()(workload(name, "tiny"))
    return [step(position) for position in range(count)]


@pytest.mark.parametrize("name", [name for name in names() if name not in {RANDOM, *ALIKE}])
def test_asg_computes_what_numpy_by_hand_computes(name: str) -> None:
    expected = first_values("numpy", name)
    np.testing.assert_allclose(first_values("asg_numpy", name), expected, rtol=2e-6)
    if name in TRAINING or name in HELD_BACK:
        assert len(set(expected)) == 5  # the weights move: batch 0 comes again as the fifth


def test_a_workload_with_dropout_has_no_program_by_hand_and_trains() -> None:
    assert not PEERS["numpy"].runs(workload(RANDOM)) and PEERS["numpy"].runs(workload("gpt"))
    assert np.isfinite(first_values("asg_numpy", RANDOM)).all()


@pytest.mark.slow  # Numba takes seconds for each
@pytest.mark.parametrize("name", ["mlp", "mlp_small", "mlp_wide", "elemwise", "deep100"])
def test_pytensor_computes_what_numpy_by_hand_computes(name: str) -> None:
    pytest.importorskip("pytensor")
    assert PEERS["pytensor"].runs(workload(name)) and not PEERS["pytensor"].runs(workload("cnn"))
    expected = first_values("numpy", name)
    np.testing.assert_allclose(first_values("pytensor", name), expected, rtol=2e-6)


def test_every_peer_gets_the_same_weights_and_batches() -> None:
    first, second = workload("lenet", "tiny"), workload("lenet", "tiny")
    for a, b in chain(
        zip(first.weights().values(), second.weights().values(), strict=True),
        zip(first.batches()[3].values(), second.batches()[3].values(), strict=True),
    ):
        np.testing.assert_array_equal(a, b)
    inputs = [batch["inputs"] for batch in first.batches()]
    assert not np.array_equal(inputs[0], inputs[1])


def test_the_tables_of_workloads_do_not_overlap() -> None:
    assert len(set(names())) == len(TRAINING) + len(HELD_BACK) + len(INFERENCE)
    sizes = {name: sum(w.size for w in workload(name).weights().values()) for name in TRAINING}
    assert sizes["mlp"] == 669_706 and sizes["lenet"] == 61_706  # as everywhere
