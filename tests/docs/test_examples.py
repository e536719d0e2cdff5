"""What the examples claim to reach, they reach: figures from their output, on both backends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def output_of(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(pattern: str, output: str) -> list[float]:
    found = [float(number) for number in re.findall(pattern, output)]
    assert found, output
    return found


BACKENDS = ["numpy", pytest.param("jax", marks=pytest.mark.slow)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_physics_informed_network_solves_the_equation(backend: str) -> None:
    output = output_of("physics_informed.py", "--backend", backend, "--steps", "400")
    losses = figures(r"loss (\S+),", output)
    assert losses[-1] < 0.01 * losses[0]
    assert figures(r"known solution: (\S+)", output)[0] < 0.03


@pytest.mark.parametrize("backend", BACKENDS)
def test_force_matching_learns_forces_that_sum_to_zero(backend: str) -> None:
    output = output_of("force_matching.py", "--backend", backend, "--steps", "300")
    assert figures(r"unseen configurations: (\S+)%", output)[0] < 5.0
    assert figures(r"by symmetry\): (\S+)", output)[0] < 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_segments_of_a_scan_change_memory_and_not_numbers(backend: str) -> None:
    plain, segmented = (
        figures(r"gradient norm (\S+)", output_of("state_space.py", "--backend", backend, *more))[0]
        for more in ((), ("--checkpoint", "sqrt", "--unroll", "2"))
    )
    assert plain > 0.0
    assert abs(plain - segmented) < 1e-4 * plain
