"""shard: steps on shards compute what the whole step does; what couples examples stays whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import compress, product
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.interpreter import NumpyExecutable

import asg
import asg.testing.samples
from asg import nn, optim
from asg.analysis.axes import RULES, axes_of
from asg.analysis.sharding import batch_inputs, decide, is_repeated
from asg.analysis.work import Work, most_in_long_calls, work_of
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.core.verify import verify
from asg.ops.shards import ShardMap
from asg.passes import shard as module
from asg.passes.lower import lower
from asg.passes.shard import ANY_WORK, Least, Shard
from asg.testing.random_graph import random_recipe
from asg.testing.sample import SAMPLES, Sample
from tests.fuzz.properties import Case

Array = np.ndarray[Any, Any]
NUMPY = load_backend("numpy")
ALONE = ANY_WORK._replace(seconds_of_meeting=1.0)  # shards never wait for each other


def sharded(graph: Graph, threads: int = 2, least: Least = ANY_WORK) -> Graph:
    with asg.configure(threads=threads):
        return verify(Shard(least)(graph, []))


def maps(graph: Graph) -> list[ShardMap]:
    return [node.op for node in graph.nodes if isinstance(node.op, ShardMap)]


def specialised(graph: Graph, feeds: Mapping[str, Array]) -> Graph:
    """As the backend gets it, before its own passes."""
    with asg.configure(threads=1):
        return asg.compile(graph).specialised([feeds[name].shape for name in graph.feeds])


def inputs_of(graph: Graph, feeds: Mapping[str, Array]) -> list[Array]:
    """The feeds, and random numbers for variables: positive ones, which second moments are."""
    drawn = np.random.default_rng(3)

    def value(name: str, tensor: Tensor) -> Array:
        if name in feeds:
            return feeds[name]
        wide = drawn.uniform(0.1, 0.9, tensor.shape)
        return (wide if tensor.dtype.is_float else wide * 9).astype(tensor.dtype.numpy)

    return [value(*pair) for pair in zip(graph.input_names, graph.inputs, strict=True)]


def outputs(graph: Graph, inputs: list[Array]) -> list[Array]:
    with asg.configure(threads=2):
        return [np.array(each) for each in NumpyExecutable(graph)([np.array(x) for x in inputs])]


def compare(whole: Graph, part: Graph, inputs: list[Array], tolerance: float = 1e-12) -> None:
    pairs = zip(outputs(whole, inputs), outputs(part, inputs), strict=True)
    for name, (expected, found) in zip(whole.output_names, pairs, strict=True):
        finite = np.abs(expected[np.isfinite(expected)])
        scale = max(float(finite.max(initial=0.0)), 1e-3)
        np.testing.assert_allclose(found, expected, tolerance, tolerance * scale, err_msg=name)


# -- networks -------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Embedding, dropout, attention, norm."""

    def __init__(self) -> None:
        self.embedding = nn.Embedding(11, 8, dtype="float64")
        self.attention = nn.MultiheadAttention(8, 2, dtype="float64", batch_first=True)
        self.norm = nn.LayerNorm(8, dtype="float64")
        self.drop = nn.Dropout(0.25)
        self.head = nn.Linear(8, 11, dtype="float64")

    def forward(self, tokens: Any) -> Any:
        x = self.drop(self.embedding(tokens))
        y, _ = self.attention(x, x, x)
        return self.head(self.drop(asg.gelu(self.norm(x + y))))


class Recurrent(nn.Module):
    """Embedding, LSTM, dense."""

    def __init__(self) -> None:
        self.embedding = nn.Embedding(7, 5, dtype="float64")
        self.rnn = nn.LSTM(5, 6, batch_first=True, dtype="float64")
        self.head = nn.Linear(6, 7, dtype="float64")

    def forward(self, tokens: Any) -> Any:
        return self.head(self.rnn(self.embedding(tokens))[0])


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 9, dtype="float64"), nn.Tanh(), nn.Dropout(0.5),
                         nn.Linear(9, 4, dtype="float64"))  # fmt: skip


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, dtype="float64"), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, stride=2, padding=1, dtype="float64"),
        nn.GroupNorm(2, 4, dtype="float64"), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(4, 4, dtype="float64"),
    )  # fmt: skip


def normalised() -> nn.Module:
    """Statistics of the batch in several dimensions, with dropout behind."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1, dtype="float64"), nn.BatchNorm2d(3, dtype="float64"),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48, 5, dtype="float64"),
        nn.BatchNorm1d(5, dtype="float64"), nn.Dropout(0.25), nn.Linear(5, 4, dtype="float64"),
    )  # fmt: skip


def sequence_loss(logits: Any, labels: Any) -> Any:
    return asg.cross_entropy(logits, labels, axis=-1)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], Any, Callable[..., Any]]] = {
    "perceptron": (perceptron, (6,), "float64", asg.cross_entropy),
    "convolutional": (convolutional, (2, 8, 8), "float64", asg.cross_entropy),
    "normalised": (normalised, (2, 8, 8), "float64", asg.cross_entropy),
    "attention": (Attention, (5,), "int32", sequence_loss),
    "recurrent": (Recurrent, (5,), "int32", sequence_loss),
}


def network(name: str, batch: int = 12) -> tuple[Graph, dict[str, Array]]:
    """A training step as the backend gets it, and a batch."""
    make, shape, dtype, loss = NETWORKS[name]
    rule = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.01))
    step = asg.train_step(make(), loss=loss, optimizer=rule)
    labels = shape if dtype == "int32" else ()
    graph = step(x=(("batch", *shape), dtype), y=(("batch", *labels), "int32"))
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(batch, *shape)) if dtype == "float64" else drawn.integers(
        0, 7, (batch, *shape)
    )  # fmt: skip
    feeds = {"x": x.astype(dtype), "y": drawn.integers(0, 4, (batch, *labels)).astype("int32")}
    return specialised(graph, feeds), feeds


@pytest.mark.parametrize("name", NETWORKS)
def test_training_steps_compute_the_same(name: str) -> None:
    whole, feeds = network(name)
    inputs = inputs_of(whole, feeds)
    for threads in (2, 3):
        part = sharded(whole, threads)
        (op,) = maps(part)
        assert op.shards == threads
        assert work_of(op.body.nodes).seconds * threads > 0.5 * work_of(whole.nodes).seconds / 2
        compare(whole, part, inputs)


def test_nearly_everything_of_a_step_is_on_shards() -> None:
    """Forward, backward and the sums of the gradients; weights are read as they lie."""
    for name in ("perceptron", "convolutional", "attention"):
        (op,) = maps(sharded(network(name)[0]))
        ops = {node.op.name for node in op.body.nodes}
        assert {"matmul", "sum", "cross_entropy_and_slope"} <= ops
        assert set(op.result_places) == {"sum"}, name
        assert "random_bits" not in ops


def test_loops_are_on_shards_when_their_carries_are() -> None:
    (op,) = maps(sharded(network("recurrent")[0]))
    loops: list[Any] = [node.op for node in op.body.nodes if node.op.name == "scan"]
    assert len(loops) == 2
    assert all(t.shape[0] == 6 for loop in loops for t in loop.body.inputs[: loop.carries])


def test_results_do_not_depend_on_threads_but_for_the_order_of_sums() -> None:
    """Dropout masks are those of the whole batch, whatever the number of shards."""
    whole, feeds = network("perceptron")
    inputs = inputs_of(whole, feeds)
    losses = {
        threads: outputs(sharded(whole, threads), inputs)[0].item() for threads in (1, 2, 3, 4, 6)
    }
    assert max(losses.values()) - min(losses.values()) < 1e-14
    again = outputs(sharded(whole, 3), inputs)
    for one, other in zip(outputs(sharded(whole, 3), inputs), again, strict=True):
        np.testing.assert_array_equal(one, other)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "ignored labels": lambda y, t: asg.cross_entropy(y, t, ignore_index=1),
    "weights of classes": lambda y, t: asg.cross_entropy(
        y, t, weight=asg.constant([1.0, 2.0, 0.5, 3.0], "float64")
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_everything_waits_for_is_computed_before(loss: str) -> None:
    """Losses divided by what counts of the labels, which is known before anything else."""
    step = asg.train_step(perceptron(), loss=LOSSES[loss], optimizer=optim.sgd(0.1))
    drawn = np.random.default_rng(0)
    feeds = {"x": drawn.normal(size=(12, 6)), "y": drawn.integers(0, 4, 12).astype("int32")}
    graph = step(x=(("batch", 6), "float64"), y=(("batch",), "int32"))
    whole = specialised(graph, feeds)
    with asg.configure(threads=2):
        late = Shard(ALONE, most_share_before=0.0)(whole, [])
        early = verify(Shard(ALONE, most_share_before=0.2)(whole, []))
    assert set(maps(early)[0].result_places) == {"sum"} != set(maps(late)[0].result_places)
    for part in (late, early):
        compare(whole, part, inputs_of(whole, feeds))


# -- what stays whole -----------------------------------------------------------------------------


def places(function: Callable[..., Tensor], shape: tuple[int, ...], meet: bool = False) -> Any:
    """Where the result of a function lies when its argument is cut along axis 0."""
    x = asg.input("x", shape, "float64")
    graph = lower(Graph(y=function(x)), NUMPY)
    _, found = decide(graph, 2, {x: 0}, meet=meet)
    return found.get(graph.outputs[0], "whole")


COUPLED: dict[str, Callable[[Tensor], Tensor]] = {
    "batch mean": lambda x: x - x.mean(0),
    "batch norm": lambda x: (x - x.mean(0)) / asg.sqrt(asg.var(x, 0) + 1e-5),
    "softmax": lambda x: asg.softmax(x, 0),
    "running total": lambda x: asg.cumsum(x, 0),
    "sort": lambda x: asg.sort(x, 0),
    "argsort": lambda x: asg.argsort(x, 0),
    "largest": lambda x: x.max(0),
    "product": lambda x: asg.prod(x, 0),
    "flip": lambda x: asg.flip(x, 0),
    "some rows": lambda x: x[1:],
    "one row": lambda x: x[3],
    "rows backwards": lambda x: x[::-1],
    "concat": lambda x: asg.concat([x, x], 0),
    "taken rows": lambda x: asg.take(x, asg.constant([0, 3]), axis=0),
    "merged behind": lambda x: asg.reshape(asg.swapaxes(x, 0, 1), (24,)),
    "divided unevenly": lambda x: asg.reshape(x, (3, 8)),
    "square of a sum": lambda x: asg.square(x.sum(0)),
    "sum and a constant": lambda x: x.sum(0) + 1.0,
    "product of all pairs": lambda x: x @ asg.swapaxes(x, 0, 1),
    "sum of halves": lambda x: x.astype("float16").sum(0),
    "loop": lambda x: asg.scan(lambda c, e: (c + e, c), asg.zeros((3,), "float64"), x)[0],
    "norm": lambda x: asg.sqrt(asg.sum(x * x)) * x,
}


@pytest.mark.parametrize("name", COUPLED)
def test_what_couples_examples_is_left_whole(name: str) -> None:
    assert places(COUPLED[name], (8, 3)) == "after"


MET = {"batch mean": 0, "batch norm": 0, "norm": 0, "square of a sum": "whole",
       "sum and a constant": "whole"}  # fmt: skip


@pytest.mark.parametrize("name", COUPLED)
def test_shards_that_may_meet_go_on_from_totals_of_sums(name: str) -> None:
    """Not from anything else that couples examples."""
    assert places(COUPLED[name], (8, 3), meet=True) == MET.get(name, "after")


def test_what_only_needs_totals_is_not_computed_in_every_shard() -> None:
    """The optimizer, and the running statistics: only what work on shards waits for."""
    whole, _ = network("normalised")
    (op,) = maps(sharded(whole))
    assert [n.op.name for n in op.body.nodes].count("all_reduce_sum") == 8  # 2 forward, 2 backward
    assert set(op.result_places) == {"sum", "whole"}  # statistics of the batch are kept
    decisions, _ = decide(whole, 2, dict.fromkeys(batch_inputs(whole), 0), meet=True)
    repeated = [node for node, decision in decisions.items() if is_repeated(decision)]
    assert 0 < len(repeated) < 0.5 * len(decisions)
    assert max(node.output.type.size for node in repeated) == 5  # as many as there are channels
    alone = maps(sharded(whole, least=ALONE))
    assert len(alone[0].body.nodes) < 0.2 * len(op.body.nodes)


def test_two_gradients_of_a_step_are_on_shards() -> None:
    """The second is taken where the first one points to, which is the same for all shards."""
    step = asg.train_step(perceptron(), loss=asg.cross_entropy, optimizer=optim.sam(optim.sgd(0.1)))
    drawn = np.random.default_rng(0)
    feeds = {"x": drawn.normal(size=(12, 6)), "y": drawn.integers(0, 4, 12).astype("int32")}
    whole = specialised(step(x=(("batch", 6), "float64"), y=(("batch",), "int32")), feeds)
    (op,) = maps(sharded(whole))
    names = [node.op.name for node in op.body.nodes]
    assert names.count("cross_entropy_and_slope") + names.count("cross_entropy") >= 2
    compare(whole, sharded(whole, 3), inputs_of(whole, feeds))


def test_meeting_has_to_save_more_than_it_costs() -> None:
    whole, _ = network("normalised")
    saved = work_of(whole.nodes).seconds / 2
    dear = ANY_WORK._replace(seconds_of_meeting=saved)
    (op,) = maps(sharded(whole, least=dear))
    assert "all_reduce_sum" not in {node.op.name for node in op.body.nodes}


UNCOUPLED: dict[str, tuple[Callable[..., Tensor], Any]] = {
    "softmax of rows": (lambda x: asg.softmax(x, 1), 0),
    "sum": (lambda x: x.sum(0), "sum"),
    "sum of all": (lambda x: asg.sum(x * 2.0), "sum"),
    "mean before its division": (lambda x: asg.sum(x.sum(0) - (x * x).sum(0)), "sum"),
    "transposed": (lambda x: asg.swapaxes(x, 0, 1), 1),
    "merged in front": (lambda x: asg.reshape(x, (24,)), 0),
    "divided evenly": (lambda x: asg.reshape(x, (4, 2, 3)), 0),
    "new axis": (lambda x: asg.expand_dims(x, 0), 1),
    "product": (lambda x: x @ asg.ones((3, 5), "float64"), 0),
    "product of sums": (lambda x: asg.swapaxes(x, 0, 1) @ x, "sum"),
    "repeated": (lambda x: asg.broadcast_to(x, (5, 8, 3)), 1),
    "columns": (lambda x: x[:, 1:], 0),
    "counted": (lambda x: x + asg.arange(8, dtype="float64")[:, None], 0),
    "loop over columns": (
        lambda x: asg.scan(lambda c, e: (c + e, c * e), asg.zeros((8,), "float64"), x.T)[0],
        0,
    ),
    "sum in a loop": (
        lambda x: asg.scan(lambda c, e: (c + e.sum(), c), asg.constant(0.0, "float64"), x.T)[0],
        "after",  # c comes out stacked, too, as parts of sums that are not complete
    ),
}


@pytest.mark.parametrize("name", UNCOUPLED)
def test_what_treats_examples_alike_is_not(name: str) -> None:
    function, place = UNCOUPLED[name]
    assert places(function, (8, 3)) == place


def test_embeddings_and_their_gradients() -> None:
    table, tokens = asg.input("table", (11, 3), "float64"), asg.input("tokens", (8, 4), "int32")
    y = asg.take(table, tokens, axis=0)
    graph = Graph(y=y, g=asg.grad(asg.sum(y * y), table))
    _, found = decide(lower(graph, NUMPY), 2, {tokens: 0})
    assert [found[tensor] for tensor in graph.outputs] == [0, "sum"]


def test_uneven_batches_and_single_threads_stay_as_they_are() -> None:
    whole, _ = network("perceptron", batch=7)
    assert sharded(whole, 6) is whole
    whole, _ = network("perceptron", batch=6)
    assert sharded(whole, 1) is whole
    assert maps(sharded(whole, 4))[0].shards == 3


def test_small_steps_and_steps_without_a_batch_stay_as_they_are() -> None:
    whole, _ = network("perceptron")
    with asg.configure(threads=2):
        assert Shard()(whole, []) is whole
    x = asg.parameter("x", (8,), init=0.0)
    graph = asg.train_step(asg.sum(x * x), optimizer=optim.sgd(0.1))
    assert sharded(lower(graph, NUMPY)) is graph or not maps(sharded(lower(graph, NUMPY)))


@pytest.mark.parametrize("part", ["seconds", "share", "seconds_of_call"])
def test_every_limit_counts(part: str) -> None:
    whole, _ = network("perceptron")
    high = {"seconds": 1.0, "share": 1.1, "seconds_of_call": 1.0}[part]
    assert maps(sharded(whole))
    assert not maps(sharded(whole, least=ANY_WORK._replace(**{part: high})))


def test_no_place_is_decided_where_no_part_can_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = network("perceptron")
    asked: list[int] = []

    def counted(*args: Any, **named: Any) -> Any:
        asked.append(1)
        return decide(*args, **named)

    monkeypatch.setattr(module, "decide", counted)
    longest = max(work_of([node]).seconds for node in whole.nodes)
    sharded(whole, least=ANY_WORK._replace(seconds=1e-9, seconds_of_call=longest))
    assert not asked
    assert maps(sharded(whole)) and asked


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_of_works_holds_more_than_the_bound(seed: int) -> None:
    drawn = np.random.default_rng(seed)
    works = [Work(*each) for each in zip(drawn.random(8), drawn.integers(0, 3, 8), strict=True)]
    choices = (list(compress(works, bits)) for bits in product((0, 1), repeat=8))
    totals = [(sum(w.seconds for w in c if w.calls), sum(w.calls for w in c)) for c in choices]
    for seconds_of_call in (0.0, 0.2, 0.4, 0.8):
        best = max(seconds for seconds, calls in totals if seconds >= seconds_of_call * calls)
        assert most_in_long_calls(works, seconds_of_call) >= best - 1e-12


def test_nodes_on_shards_tell_where_they_come_from() -> None:
    whole, _ = network("perceptron")
    (op,) = maps(sharded(whole))
    made = [node for node in op.body.nodes if node.op.name == "matmul"]
    lineages = {node.lineage for node in whole.nodes}
    for node in made:
        assert node.origin.location is not None
        assert node.origin.derived[-1][:2] == ("pass", "shard")
        assert node.origin.derived[-1].sources[0] in lineages


# -- every op of the table on its samples --------------------------------------------------------

SAMPLED: dict[str, list[Sample]] = {
    op_class.name: SAMPLES[op_class]
    for op_class in sorted(SAMPLES, key=lambda each: each.name)
    if op_class.broadcasts or issubclass(op_class, tuple(RULES))
}


def cuts(sample: Sample) -> list[tuple[Graph, Graph]]:
    """The op of a sample whole, and on shards, for every way to cut its operands."""
    leaves = [asg.input(f"x{i}", x.shape, str(x.dtype)) for i, x in enumerate(sample.operands)]
    node = sample.op.apply(*leaves)[0].node
    names = [f"y{i}" for i in range(len(node.outputs))]
    graph = Graph.of(leaves, node.outputs, names)
    axes, found = axes_of(node), []
    assert axes is not None
    labels = {label for each in axes.operands for label in each if label is not None}
    for label in labels:
        cut = {
            leaf: each.index(label)
            for leaf, each in zip(node.inputs, axes.operands, strict=True)
            if label in each
        }
        sizes = [leaf.shape[axis] for leaf, axis in cut.items()]
        shards = next((n for n in (2, 3, 5) if all(size % n == 0 for size in sizes)), 0)
        if not shards or 0 in sizes:
            continue
        decisions, _ = decide(graph, shards, cut)
        if decisions:
            found.append((graph, verify(module._sharded(graph, decisions, shards))))
    return found


@pytest.mark.parametrize("name", SAMPLED)
def test_axes_of_ops_keep_the_values_of_samples(name: str) -> None:
    for sample in SAMPLED[name]:
        arrays = [np.asarray(x) for x in sample.operands]
        for whole, part in cuts(sample):
            compare(lower(whole, NUMPY), lower(part, NUMPY), arrays, 1e-10)


def test_most_ops_of_the_table_are_cut_there() -> None:
    never = [name for name, samples in SAMPLED.items() if not any(map(cuts, samples))]
    assert len(SAMPLED) > 90 and len(never) < 12, never


# -- random graphs --------------------------------------------------------------------------------


def check_random_graph(seed: int) -> int:
    """The whole graph against shards of it, two or three; how many parts there are: one or none."""
    case = Case(random_recipe(seed))
    whole = specialised(case.graph, case.feeds)
    part = sharded(whole, 3)
    if maps(part):
        arrays = [case.feeds[name] for name in whole.input_names]
        wide = all(a.dtype != np.float32 for a in arrays)
        compare(whole, part, arrays, 1e-9 if wide else 1e-3)
    return len(maps(part))


def test_random_graphs_keep_values() -> None:
    assert sum(check_random_graph(seed) for seed in range(20)) > 8


@pytest.mark.slow
@pytest.mark.parametrize("start", range(100, 500, 50))
def test_many_random_graphs_keep_values(start: int) -> None:
    for seed in range(start, start + 50):
        check_random_graph(seed)
