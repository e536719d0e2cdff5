"""Memory orders: which values have the batch innermost, and that nothing else changes by it."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import layout as layouts
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.layout import Layout, resolve_layouts
from asg.backends.numpy_cpu.order import in_memory_order, is_innermost, memory_order

import asg
from asg import nn, ops, optim
from asg.compiler.driver import optimize
from asg.core.dtype import float64
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.passes.lower import lower
from tests.backends.numpy_cpu.programs import program, state

MOVED = (1, 2, 3, 0)


def order_of(found: Layout) -> tuple[int, ...] | None:
    order: tuple[int, ...] | None = memory_order(found.over(np.empty(10**6, np.uint8), 0))
    return order


@pytest.fixture
def x() -> Tensor:
    return ops.input("x", (5, 3, 8, 6), float64)


def kernel(outs: int, ins: int, size: int = 3) -> Tensor:
    return state(f"w{outs}{ins}{size}", (outs, ins, size, size))


# -- which values -------------------------------------------------------------------------------


def test_a_convolution_and_what_surrounds_it_have_the_batch_innermost(x: Tensor) -> None:
    scaled = x / 255.0
    y = ops.conv2d(scaled, kernel(4, 3), padding=1)
    active = ops.maximum(y + state("b", (4, 1, 1)), 0.0)
    pooled = ops.max_pool2d(active, 2)
    joined = ops.concat([pooled, pooled], axis=1)
    padded = ops.pad(joined, ((0, 0), (0, 0), (1, 1), (0, 2)))
    found = resolve_layouts(lower(Graph(y=padded), BACKEND))
    assert [order_of(found[t]) for t in (x, scaled, y, active, pooled, joined, padded)] == [
        MOVED
    ] * 7


def test_flattening_is_a_view_that_a_dense_layer_reads(x: Tensor) -> None:
    y = ops.conv2d(x, kernel(4, 3))
    flat = ops.reshape(y, (5, -1))
    found = resolve_layouts(Graph(z=ops.matmul(flat, state("dense", (96, 2)))))
    assert found[flat].owner is y and found[flat].strides == (8, 40)
    assert order_of(found[y]) == MOVED


def test_variables_and_inputs_for_others_stay_in_c_order(x: Tensor) -> None:
    weight = kernel(4, 3)
    other = ops.input("other", (5, 3, 8, 6), float64)
    y = ops.conv2d(x, weight)
    found = resolve_layouts(Graph(y=y, sums=ops.sum(other, axis=-1)))
    assert order_of(found[weight]) is None and order_of(found[other]) is None


def test_without_convolutions_nothing_moves(x: Tensor) -> None:
    pooled = ops.max_pool2d(ops.exp(x), 2)
    found = resolve_layouts(Graph(y=pooled))
    assert all(order_of(each) is None for each in found.values())


def test_a_sequence_made_of_the_channels_is_in_c_order(x: Tensor) -> None:
    y = ops.conv2d(x, kernel(4, 3))
    tokens = ops.permute_dims(ops.reshape(y, (5, 4, -1)), (0, 2, 1))
    moved = tokens + state("positions", (24, 4))
    assert order_of(resolve_layouts(Graph(z=moved))[moved]) is None


def test_the_gradient_by_a_weight_is_in_the_order_of_the_weight(x: Tensor) -> None:
    weight = kernel(4, 3)
    slope = asg.grad((ops.conv2d(x, weight) ** 2).sum(), weight)
    found = resolve_layouts(lower(Graph(slope=slope), BACKEND))
    assert order_of(found[slope]) is None and found[slope].whole


def test_the_first_convolution_has_no_gradient_by_the_input(x: Tensor) -> None:
    weight = kernel(4, 3)
    slope = asg.grad((ops.conv2d(x, weight) ** 2).sum(), weight)
    assert [node.op.name for node in Graph(slope=slope).nodes].count("conv") == 2


def test_a_product_that_is_read_transposed_is_written_so() -> None:
    left, right = ops.input("left", (3, 5), float64), ops.input("right", (5, 4), float64)
    product = ops.matmul(left, right)
    turned = ops.permute_dims(product, (1, 0))
    graph = Graph(y=turned * 2.0)
    assert resolve_layouts(graph)[turned].whole
    both = resolve_layouts(Graph(y=turned * 2.0, sums=product.sum(0)))
    kept = resolve_layouts(Graph(y=turned * 2.0, product=product))
    assert both[product].whole and kept[product].whole, "someone reads it as it is"
    random = np.random.default_rng(0)
    given = [random.normal(size=(3, 5)), random.normal(size=(5, 4))]
    assert np.allclose(BACKEND.compile(graph)(given)[0], 2 * (given[0] @ given[1]).T)


def test_sums_over_the_batch_are_over_rows(x: Tensor) -> None:
    y = ops.conv2d(x, kernel(4, 3))
    sums = {axes: ops.sum(y, axis=axes) for axes in ((0,), (0, 2, 3), (0, 1), (2, 3), (1,))}
    kept = ops.sum(y, axis=(0, 2, 3), keepdims=True)
    run = BACKEND.compile(Graph({f"s{axes}": each for axes, each in sums.items()} | {"kept": kept}))
    random = np.random.default_rng(0)
    values = run.run_all([random.normal(size=tensor.shape) for tensor in run.graph.inputs])
    for axes, each in sums.items():
        assert np.allclose(values[each], values[y].sum(axes)), axes
    assert np.allclose(values[kept], values[y].sum((0, 2, 3), keepdims=True))


# -- arrays -------------------------------------------------------------------------------------


def test_is_innermost_looks_at_strides() -> None:
    moved = np.empty((3, 4, 5, 2)).transpose(3, 0, 1, 2)
    assert is_innermost(moved, 0) and not is_innermost(moved, 1)
    assert is_innermost(moved.swapaxes(0, 1), 1)
    assert not is_innermost(moved[:, :, 1:], 0)
    assert not is_innermost(np.empty((3, 4)).T, 0), "a transposed matrix is nothing special"


def test_operands_of_fewer_axes_broadcast_in_memory_order() -> None:
    out, bias = np.ones((2, 3, 4, 5)), np.arange(3.0).reshape(3, 1, 1)
    expected = (out * bias).transpose(MOVED)
    assert np.array_equal(in_memory_order(out, MOVED) * in_memory_order(bias, MOVED), expected)
    assert in_memory_order(np.array(2.0), MOVED).shape == ()


# -- sharing memory -----------------------------------------------------------------------------


def test_an_activation_overwrites_a_convolution(x: Tensor) -> None:
    y = ops.conv2d(x, kernel(4, 3))
    active = ops.maximum(y, 0.0)
    places = BACKEND.compile(Graph(z=active)).plan.places
    assert places[active].sharing == "in place"
    assert places[active].offset == places[y].offset


def test_memory_in_another_order_is_not_overwritten(x: Tensor) -> None:
    y = ops.conv2d(x, kernel(3, 3), padding=1)
    bits = ops.matmul(state("left", (5, 3, 8, 8)), state("right", (5, 3, 8, 6)))
    total = ops.subtract(bits, ops.exp(y))
    run = BACKEND.compile(Graph(total=total))
    places = run.plan.places
    assert places[total].offset != places[bits].offset, "bits is in C order, total is not"
    arrays = [np.random.default_rng(i).normal(size=t.shape) for i, t in enumerate(run.graph.inputs)]
    everything = run.run_all(arrays)
    assert np.allclose(run(arrays)[0], everything[bits] - np.exp(everything[y]))


def test_the_next_value_of_a_variable_is_written_in_c_order(x: Tensor) -> None:
    old, weight = state("average", (5, 4, 6, 4)), kernel(4, 3)
    graph = program([x, weight], [(old, old * 0.5 + ops.conv2d(x, weight))], [])
    run = BACKEND.compile(graph)
    random = np.random.default_rng(0)
    given = [random.normal(size=tensor.shape) for tensor in graph.inputs]
    kept = given[-1].copy()
    plain = _reference(graph, given)
    (result,) = run(given)
    assert result.flags.c_contiguous and np.allclose(result, plain[0])
    assert not np.allclose(result, kept)


def _reference(graph: Graph, given: list[Any]) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layouts, "has_choice", lambda node: False)
        patch.setattr(layouts, "inputs_batch_innermost", lambda graph: set())
        run = BACKEND.compile(graph)
    return [np.array(each) for each in run([np.array(each) for each in given])]


# -- whole programs -----------------------------------------------------------------------------


def random_network(random: np.random.Generator, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A few convolutions with what stands between them, their variables, down to a number."""
    weights: list[Tensor] = []

    def variable(*shape: Any) -> Tensor:
        weights.append(state(f"v{len(weights)}", shape))
        return weights[-1]

    def convolved(y: Tensor) -> Tensor:
        outs, size = (int(n) for n in random.integers(1, 4, 2))
        step, apart = (int(n) for n in random.integers(1, 3, 2))
        groups = int(y.shape[1]) if random.random() < 0.3 else 1
        weight = variable(outs * groups, y.shape[1] // groups, size, size)
        return ops.conv2d(y, weight, variable(outs * groups), step, size, apart, groups)

    moves = (
        convolved,
        convolved,
        lambda y: ops.maximum(y, 0.1),
        lambda y: y * variable(*y.shape[1:]) + y,
        lambda y: ops.max_pool2d(y, 2, 1, padding=1),
        lambda y: ops.max_pool2d(y, 2, ceil_mode=True),
        lambda y: ops.avg_pool2d(y, 3, 2, padding=1),
        lambda y: ops.batch_norm_training(y, variable(y.shape[1]))[0],
        lambda y: ops.concat([y, ops.tanh(y)], axis=1),
        lambda y: ops.pad(y, ((0, 0), (0, 0), (1, 0), (0, 1))),
        lambda y: y[:, :, 1:] if y.shape[2] > 2 else y,
        lambda y: ops.permute_dims(y, (0, 1, 3, 2)),
        lambda y: ops.softmax(y, axis=1),
        lambda y: ops.flip(y, axis=3),
        lambda y: ops.where(y > 0.2, y, y * y),
        lambda y: ops.conv_transpose2d(y, variable(y.shape[1], 2, 2, 2), stride=2),
    )
    y = convolved(x)
    for _ in range(6):
        y = moves[random.integers(len(moves))](y)
    flat = ops.reshape(y, (y.shape[0], -1))
    return ops.matmul(ops.tanh(flat), variable(flat.shape[1], 2)).sum() + (y * y).mean(), weights


MORE = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(25, 300)]


@pytest.mark.parametrize("seed", [*range(25), *MORE])
def test_networks_give_what_they_give_in_c_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = tuple(int(n) for n in random.integers(1, 7, 2))
    x = ops.input("x", (int(random.integers(1, 6)), int(random.integers(1, 4)), *sizes), float64)
    loss, weights = random_network(random, x)
    slopes = asg.grad(loss, weights)
    following = [old - 0.1 * slope for old, slope in zip(weights, slopes, strict=True)]
    graph = program([x], list(zip(weights, following, strict=True)), [loss])
    graph = optimize(graph, "numpy")
    given = [random.normal(size=tensor.shape) for tensor in graph.inputs]
    wanted = _reference(graph, given)
    run = BACKEND.compile(graph)
    arrays = [each.copy() for each in given]
    for result, expected in zip(run(arrays), wanted, strict=True):
        assert np.allclose(result, expected, 1e-9, 1e-9, equal_nan=True), run.explain()


def test_shards_of_a_batch_have_it_innermost_as_well() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 5))
    step = asg.train_step(net, loss=lambda y, t: ((y.mean((2, 3)) - t) ** 2).mean(),
                          optimizer=optim.sgd(0.1))  # fmt: skip
    graph = step(images=(64, 1, 20, 20), targets=(64, 3))
    random = np.random.default_rng(0)
    batch = {"images": random.normal(size=(64, 1, 20, 20)).astype(np.float32),
             "targets": random.normal(size=(64, 3)).astype(np.float32)}  # fmt: skip
    losses = []
    for threads in (1, 2):
        with asg.config.configure(threads=threads):
            session = asg.compile(graph).start(seed=0)
            losses.append([float(session(**batch)["loss"]) for _ in range(3)])
    alone, shared = losses
    assert np.allclose(alone, shared, rtol=1e-5)


def test_a_step_allocates_no_tensors() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip
    step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.sgd(0.1))
    graph = step(images=(16, 3, 24, 24), labels=((16,), "int32"))
    session = asg.compile(graph).start(seed=0)
    batch = {"images": np.ones((16, 3, 24, 24), np.float32), "labels": np.zeros(16, np.int32)}
    for _ in range(2):
        session(**batch)
    tracemalloc.start()
    try:
        session(**batch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 16 * 8 * 24 * 24 // 2, "half of the first output; NumPy buffers casts"
