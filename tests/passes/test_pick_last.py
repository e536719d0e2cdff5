"""Products of picked rows: values stay, and products have a row for each row of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.passes.pick_last import pick_last

ROWS, SIZE, WIDE = 7, 160, 192


def table_and_weight(seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "table": random.standard_normal((ROWS, SIZE)),
        "weight": random.standard_normal((SIZE, WIDE)),
        "places": random.integers(-ROWS, ROWS - 2, (4, 16)),
    }


def inputs_for(arrays: dict[str, Any]) -> dict[str, asg.Tensor]:
    return {name: asg.input(name, x.shape, x.dtype.name) for name, x in arrays.items()}


def values(graph: asg.Graph, arrays: dict[str, Any]) -> list[Any]:
    given = {t: arrays[name] for name, t in zip(graph.input_names, graph.inputs, strict=True)}
    return [np.asarray(asg.run(output, given)) for output in graph.outputs]


def rows_of_products(graph: asg.Graph) -> set[int]:
    """How many rows are multiplied, of the left factor or of the right one turned."""
    products = [node for node in graph.nodes if node.op.name == "matmul"]
    sizes = {size for node in products for tensor in node.inputs for size in tensor.shape}
    return {size for size in sizes if isinstance(size, int)} - {SIZE, WIDE}


def require_same(before: asg.Graph, after: asg.Graph, arrays: dict[str, Any]) -> None:
    with np.errstate(invalid="ignore"):
        for old, new in zip(values(before, arrays), values(after, arrays), strict=True):
            np.testing.assert_allclose(new, old, rtol=1e-9, atol=1e-9)


def moved(x: asg.Tensor, way: str) -> asg.Tensor:
    """Picks ``[4, 16, size]`` in other orders."""
    size = x.shape[-1]
    if way == "time first":
        return asg.permute_dims(x, (1, 0, 2))
    if way == "in rows":
        return asg.reshape(asg.permute_dims(x, (1, 0, 2)), (64, size))
    return asg.permute_dims(asg.reshape(x, (2, 2, 16, size)), (2, 0, 1, 3))


@pytest.mark.parametrize("way", ["time first", "in rows", "cut and turned"])
def test_a_product_and_its_gradients(way: str) -> None:
    arrays = table_and_weight()
    t = inputs_for(arrays)
    y = moved(asg.take(t["table"], t["places"], axis=0), way) @ t["weight"]
    slopes = asg.grad(asg.sum(asg.tanh(y)), [t["table"], t["weight"]])
    before = asg.Graph(y=y, table=slopes[0], weight=slopes[1]).optimize()
    after = pick_last(before)
    assert rows_of_products(after) == {ROWS} != rows_of_products(before)
    sums = [n for n in after.nodes if n.op.name == "scatter_add" and WIDE in n.output.shape]
    assert len(sums) == 1, "both gradients are products of the same sums"
    require_same(before, after, arrays)


def test_the_gradient_of_a_turned_weight() -> None:
    arrays = table_and_weight() | {"given": np.random.default_rng(1).standard_normal((64, WIDE))}
    t = inputs_for(arrays)
    picked = asg.reshape(asg.take(t["table"], t["places"], axis=0), (64, SIZE))
    before = asg.Graph(y=asg.transpose(t["given"]) @ picked)
    after = pick_last(before)
    assert rows_of_products(after) == {ROWS}
    require_same(before, after, arrays)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_spoils_what_it_did_and_no_more(bad: float) -> None:
    arrays = table_and_weight()
    arrays["places"] = np.abs(arrays["places"]) % (ROWS - 1)  # nobody picks the last row
    t = inputs_for(arrays)
    y = asg.take(t["table"], t["places"], axis=0) @ t["weight"]
    slopes = asg.grad(asg.sum(y * y), [t["table"], t["weight"]])
    before = asg.Graph(table=slopes[0], weight=slopes[1]).optimize()
    after = pick_last(before)
    assert after is not before
    arrays["table"][-1] = bad
    require_same(before, after, arrays)
    assert np.isfinite(values(after, arrays)[1]).all()
    arrays["weight"][3, 5] = bad
    require_same(before, after, arrays)
    assert (values(after, arrays)[0][-1] == 0).all()


def test_a_place_outside_makes_missing_what_it_did() -> None:
    arrays = table_and_weight()
    arrays["places"][1, 3] = ROWS
    t = inputs_for(arrays)
    y = asg.take(t["table"], t["places"], axis=0) @ t["weight"]
    slopes = asg.grad(asg.sum(asg.tanh(y)), [t["table"], t["weight"]])
    before = asg.Graph(y=y, table=slopes[0], weight=slopes[1]).optimize()
    after = pick_last(before)
    require_same(before, after, arrays)
    assert np.isnan(values(after, arrays)[0]).sum() == WIDE
    assert all(np.isnan(each).all() for each in values(after, arrays)[1:])


def test_loops_are_entered() -> None:
    arrays = table_and_weight()
    t = inputs_for(arrays)

    def step(carry: asg.Tensor, places: asg.Tensor) -> tuple[asg.Tensor, asg.Tensor]:
        rows = asg.take(t["table"], places, axis=0) @ t["weight"]
        return carry + asg.sum(rows), carry

    before = asg.Graph(y=asg.scan(step, asg.zeros((), "float64"), t["places"])[0])
    after = pick_last(before)
    assert after is not before
    require_same(before, after, arrays)


def _many_rows(t: dict[str, asg.Tensor]) -> asg.Tensor:
    return asg.take(t["table"], t["places"][0, :12], axis=0) @ t["weight"]


def _narrow(t: dict[str, asg.Tensor]) -> asg.Tensor:
    return asg.take(t["table"][:, :8], t["places"], axis=0) @ t["weight"][:8]


def _of_columns(t: dict[str, asg.Tensor]) -> asg.Tensor:
    return asg.take(asg.transpose(t["weight"]), t["places"], axis=1) @ t["weight"][:16]


def _moved_inside_rows(t: dict[str, asg.Tensor]) -> asg.Tensor:
    picked = asg.take(t["table"], t["places"], axis=0)
    return asg.reshape(picked, (64, 2, SIZE // 2)) @ t["weight"][: SIZE // 2]


def _product_used_twice(t: dict[str, asg.Tensor]) -> asg.Tensor:
    rows = asg.reshape(asg.tanh(t["weight"][:16]), (16, WIDE)) @ asg.transpose(t["weight"])
    into = asg.zeros((ROWS, SIZE), "float64")
    return asg.sum(asg.scatter_add(into, t["places"][0], rows, axis=0)) + asg.sum(rows)


def _into_what_is_not_zero(t: dict[str, asg.Tensor]) -> asg.Tensor:
    rows = asg.tanh(t["weight"][:16]) @ asg.transpose(t["weight"])
    return asg.scatter_add(t["table"], t["places"][0], rows, axis=0)


@pytest.mark.parametrize(
    "build",
    [_many_rows, _narrow, _of_columns, _moved_inside_rows, _product_used_twice,
     _into_what_is_not_zero],
)  # fmt: skip
def test_others_are_left_alone(build: Any) -> None:
    arrays = table_and_weight()
    before = asg.Graph(y=build(inputs_for(arrays)))
    assert pick_last(before) is before


def test_sizes_are_numbers_by_then() -> None:
    table, weight = asg.input("t", (ROWS, SIZE)), asg.input("w", (SIZE, WIDE))
    places = asg.input("i", ("n",), "int32")
    graph = asg.Graph(y=asg.take(table, places, axis=0) @ weight)
    assert pick_last(graph) is graph
    arrays = [np.zeros((ROWS, SIZE), np.float32), np.zeros(64, np.int32),
              np.zeros((SIZE, WIDE), np.float32)]  # fmt: skip
    by_name = dict(zip(("t", "i", "w"), arrays, strict=True))
    shapes = [by_name[name].shape for name in graph.input_names]
    program: Any = asg.compile(graph).start().program(*shapes)
    assert rows_of_products(program.graph) == {ROWS}
