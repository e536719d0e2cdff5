"""Formulas as other programs write them: which rules of the default pipeline they need."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

import asg
from asg.core.tensor import Tensor

FORMULAS: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "gelu by tanh": (
        lambda x: 0.5 * x * (1 + asg.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        {"power_three"},
    ),
    "rms_norm": (
        lambda x: x * (asg.mean(x**2, axis=-1, keepdims=True) + 1e-6) ** -0.5,
        {"power_two", "power_minus_half"},
    ),
    "whitening": (
        lambda x: x * (1.0 / asg.sqrt(asg.mean(x * x, axis=-1, keepdims=True))),
        {"multiply_by_itself", "one_over_root"},
    ),
    "harmonic": (lambda x: 1.0 / asg.sum(x**-1.0, axis=-1), {"power_minus_one"}),
    "log of the sum of powers": (lambda x: asg.log(asg.sum(asg.exp(x), axis=-1)),
                                 {"log_of_sum_of_exp"}),
    "every fourth": (lambda x: x[:, ::2][:, ::2], {"slice_of_slice"}),
    "joined one by one": (
        lambda x: asg.concat([asg.concat([x, x], axis=0), x], axis=0),
        {"concat_of_concats"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_rules_fire_on_formulas_written_out(name: str) -> None:
    formula, rules = FORMULAS[name]
    x = asg.input("x", ("n", 8))
    program = asg.compile(asg.Graph(y=formula(x)), debug=True)
    given = np.random.default_rng(0).uniform(0.5, 2.0, (3, 8)).astype(np.float32)
    program(x=given)  # every pass is compared by value
    fired: Counter[str] = Counter()
    for record in (*program.records, *program.late_records):
        fired.update(record.rule_counts())
    assert rules <= fired.keys()
