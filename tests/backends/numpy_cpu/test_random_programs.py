"""Random programs with views and variables, against an oracle without a memory plan."""

from collections import Counter

import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND

from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.passes.lower import lower
from tests.backends.numpy_cpu.programs import Array, RandomProgram, random_program, sizes


def close(left: Array, right: Array) -> bool:
    with np.errstate(all="ignore"):
        return np.allclose(left, right, rtol=1e-9, atol=1e-9, equal_nan=True)


def first_values(case: RandomProgram) -> dict[Tensor, Array]:
    random = np.random.default_rng(1)
    return {t: random.uniform(-1, 1, sizes(t)) for t in case.graph.inputs}


@pytest.mark.parametrize("seed", range(150))
def test_steps_give_what_the_oracle_says(seed: int) -> None:
    case = random_program(seed)
    run = BACKEND.compile(lower(case.graph, BACKEND))
    values, kept = first_values(case), []
    given = list(values.values())
    for _ in range(3):
        case.oracle.step(values)
        expected = [case.oracle.value(t) for t in case.graph.outputs]
        results = run(given)
        for tensor, wanted, got in zip(case.graph.outputs, expected, results, strict=True):
            assert got.shape == tensor.shape and close(got, wanted), (tensor, run.explain())
        stored = {slot.output for slot in case.graph.state}
        kept += [(r, r.copy()) for i, r in enumerate(results) if i not in stored]
        for slot in case.graph.state:
            if slot.output is not None:
                given[slot.input] = results[slot.output]
                values[case.graph.inputs[slot.input]] = expected[slot.output]
    assert all(np.array_equal(result, copy, equal_nan=True) for result, copy in kept)


@pytest.mark.parametrize("seed", range(20))
def test_every_value_is_what_the_oracle_says(seed: int) -> None:
    case = random_program(seed)
    run = BACKEND.compile(case.graph if lowered(case.graph) else lower(case.graph, BACKEND))
    values = first_values(case)
    case.oracle.step(values)
    with np.errstate(all="ignore"):
        for tensor, got in run.run_all(list(values.values())).items():
            if tensor in case.oracle.formulas:
                assert close(got, case.oracle.value(tensor)), tensor
    assert lowered(case.graph)


def lowered(graph: Graph) -> bool:
    """No op of these programs is decomposed, so that the oracle knows every tensor."""
    return lower(graph, BACKEND).nodes == graph.nodes


def test_the_programs_reach_every_kind_of_sharing() -> None:
    seen: Counter[str] = Counter()
    for seed in range(60):
        case = random_program(seed)
        run = BACKEND.compile(lower(case.graph, BACKEND))
        for place in run.plan.places.values():
            seen[f"{place.memory} {place.sharing}"] += 1
        seen["copied"] += run.explain().count("then copy")
    for kind in ("arena own", "arena view", "arena in place", "state own", "state view",
                 "state in place", "constant own", "copied"):  # fmt: skip
        assert seen[kind] >= 10, (kind, seen)
