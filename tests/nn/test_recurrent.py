"""Recurrent layers and cells against PyTorch's: values, states, derivatives, lengths, arguments."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError, StateError
from tests.nn.oracle import assert_like_pytorch

Array = np.ndarray[Any, Any]
TIME, BATCH, INPUTS, HIDDEN = 5, 3, 2, 4
LENGTHS = np.array([3, 5, 1])  # not sorted, and one of them the whole
KINDS = ("RNN", "GRU", "LSTM")
AXES: dict[str, tuple[Any, ...]] = {
    "num_layers": (1, 2), "bias": (True, False), "batch_first": (False, True),
    "bidirectional": (False, True), "state": (False, True), "lengths": (False, True),
    "special": (False, True),
}  # fmt: skip
GRID = [dict(zip(AXES, values, strict=True)) for values in product(*AXES.values())]


def filled(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def covering() -> list[dict[str, Any]]:
    """A part of the grid in which every three arguments meet in all their values."""
    # The rows of an orthogonal array: three independent bits, their sums, and the complements.
    rows = [
        (a, b, c, d, a ^ b ^ c, b ^ c ^ d, a ^ b ^ d) for a, b, c, d in product((0, 1), repeat=4)
    ]
    return [
        {name: values[bit] for (name, values), bit in zip(AXES.items(), row, strict=True)}
        for row in rows
    ]


def test_the_quick_part_of_the_grid_is_a_covering_one() -> None:
    names = list(AXES)
    for i, j, k in product(range(len(names)), repeat=3):
        if i < j < k:
            met = {(c[names[i]], c[names[j]], c[names[k]]) for c in covering()}
            assert len(met) == 8


def made(kind: str, case: dict[str, Any]) -> tuple[nn.Module, Any, dict[str, Any]]:
    """Both layers, and the arguments they were made with."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    options = {n: case[n] for n in ("num_layers", "bias", "batch_first", "bidirectional")}
    if case["special"] and kind == "RNN":
        options["nonlinearity"] = "relu"
    if case["special"] and kind == "LSTM":
        options["proj_size"] = 2
    ours = getattr(nn, kind)(INPUTS, HIDDEN, **options, dtype="float64")
    return ours, getattr(torch.nn, kind)(INPUTS, HIDDEN, **options), options


def first_states(kind: str, options: dict[str, Any], *batch: int) -> list[Array]:
    count = options["num_layers"] * (2 if options["bidirectional"] else 1)
    h = filled(count, *batch, options.get("proj_size", HIDDEN), seed=1)
    return [h, filled(count, *batch, HIDDEN, seed=2)] if kind == "LSTM" else [h]


def packed(torch: Any, layer: Any, x: Any, hx: Any) -> Any:
    rnn = torch.nn.utils.rnn
    given = rnn.pack_padded_sequence(
        x, torch.tensor(LENGTHS), batch_first=layer.batch_first, enforce_sorted=False
    )
    y, last = layer(given, hx)
    whole, _ = rnn.pad_packed_sequence(y, batch_first=layer.batch_first, total_length=TIME)
    return whole, last


def check(kind: str, case: dict[str, Any], symbolic: bool = False, **options: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours, theirs, chosen = made(kind, case)
    shape: tuple[Any, ...] = (BATCH, TIME) if case["batch_first"] else (TIME, BATCH)
    states = first_states(kind, chosen, BATCH) if case["state"] else []
    lengths = LENGTHS if case["lengths"] else None

    def hx(given: tuple[Any, ...]) -> Any:
        return None if not given else given if kind == "LSTM" else given[0]

    def their_call(layer: Any, x: Any, *given: Any) -> Any:
        call = layer if lengths is None else lambda x, h: packed(torch, layer, x, h)
        return call(x, hx(given))

    names = ("batch", "time") if case["batch_first"] else ("time", "batch")
    shapes = [(*names, INPUTS), *((s.shape[0], "batch", s.shape[2]) for s in states)]
    assert_like_pytorch(
        ours, theirs, [filled(*shape, INPUTS), *states],
        our_call=lambda layer, x, *given: layer(x, hx(given), lengths=lengths),
        their_call=their_call, symbolic_batch=shapes if symbolic else False, **options,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", covering(), ids=str)
def test_layers_are_pytorchs(kind: str, case: dict[str, Any]) -> None:
    if kind != "GRU" or not case["special"]:
        check(kind, case, training=case["bias"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("symbolic", [False, True])
def test_layers_are_pytorchs_on_the_whole_grid(kind: str, symbolic: bool) -> None:
    for case in GRID:
        if kind != "GRU" or not case["special"]:
            check(kind, case, symbolic)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_and_time_may_be_symbolic(kind: str) -> None:
    case: dict[str, Any] = dict.fromkeys(AXES, True) | {"num_layers": 2, "special": False}
    check(kind, case, symbolic=True)
    check(kind, case | {"lengths": False, "state": False, "batch_first": False}, symbolic=True)


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.slow) for kind in ("RNN", "GRU")), "LSTM"]
)
def test_layers_run_on_xla(kind: str) -> None:
    case: dict[str, Any] = dict.fromkeys(AXES, True) | {"num_layers": 1}
    check(kind, case, symbolic=True, backend="jax")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", [False, True])
def test_one_example_without_a_batch(kind: str, state: bool) -> None:
    case = {"num_layers": 2, "bias": True, "batch_first": state, "bidirectional": True,
            "special": True}  # fmt: skip
    ours, theirs, options = made(kind, case)
    states = first_states(kind, options) if state else []

    def call(layer: Any, x: Any, *given: Any) -> Any:
        return layer(x, None if not given else given if kind == "LSTM" else given[0])

    assert_like_pytorch(
        ours, theirs, [filled(TIME, INPUTS), *states], our_call=call, their_call=call
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("batch", [(), (BATCH,)])
@pytest.mark.parametrize("state", [False, True])
def test_cells_are_pytorchs(kind: str, bias: bool, batch: tuple[int, ...], state: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    options: dict[str, Any] = {"bias": bias}
    if kind == "RNN" and state:
        options["nonlinearity"] = "relu"
    states = [filled(*batch, HIDDEN, seed=i) for i in range(2 if kind == "LSTM" else 1)]

    def call(cell: Any, x: Any, *given: Any) -> Any:
        return cell(x, None if not given else given if kind == "LSTM" else given[0])

    for symbolic in (False, True) if batch else (False,):
        assert_like_pytorch(
            getattr(nn, f"{kind}Cell")(INPUTS, HIDDEN, **options, dtype="float64"),
            getattr(torch.nn, f"{kind}Cell")(INPUTS, HIDDEN, **options),
            [filled(*batch, INPUTS, seed=7), *(states if state else [])],
            our_call=call, their_call=call, symbolic_batch=symbolic, training=bias,
        )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_over_a_cell_is_the_layer(kind: str) -> None:
    layer = getattr(nn, kind)(INPUTS, HIDDEN)
    cell = getattr(nn, f"{kind}Cell")(INPUTS, HIDDEN)
    cell.load_state_dict({n.removesuffix("_l0"): a for n, a in layer.state_dict().items()})
    x = asg.input("x", (TIME, BATCH, INPUTS))
    state, outputs = None, []
    for time in range(TIME):
        state = cell(x[time], state)
        outputs.append(state[0] if kind == "LSTM" else state)
    results = asg.compile(asg.Graph(layer=layer(x)[0], cell=asg.stack(outputs))).start(0)(
        x=filled(TIME, BATCH, INPUTS).astype(np.float32)
    )
    np.testing.assert_allclose(results["cell"], results["layer"], rtol=1e-5, atol=1e-6)


def outputs_with_dropout(backend: str, training: bool) -> dict[str, Array]:
    layer = nn.LSTM(INPUTS, HIDDEN, 2, dropout=0.5)
    with asg.StateTrace(training=training) as trace:
        y, (h, c) = layer(asg.input("x", (TIME, BATCH, INPUTS)))
        graph = trace.close({"y": y, "h": h, "c": c})
    session = asg.compile(graph, backend=backend).start(3)
    x = filled(TIME, BATCH, INPUTS).astype(np.float32)
    return {f"{name}{run}": value for run in (0, 1) for name, value in session(x=x).items()}


def test_dropout_acts_between_layers_and_alike_on_both_backends() -> None:
    ours, theirs = (outputs_with_dropout(backend, True) for backend in ("numpy", "jax"))
    for name, value in ours.items():
        np.testing.assert_allclose(value, np.asarray(theirs[name]), rtol=1e-5, atol=1e-6)
    without = outputs_with_dropout("numpy", False)
    np.testing.assert_array_equal(without["y0"], without["y1"])
    assert not np.allclose(ours["y0"], without["y0"]) and not np.allclose(ours["y0"], ours["y1"])
    # The first layer has dropout only behind it, the second before.
    np.testing.assert_allclose(ours["h0"][0], without["h0"][0], rtol=1e-6)
    assert not np.allclose(ours["h0"][1], without["h0"][1])


def test_dropout_of_everything_leaves_biases_alone() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    for training in (False, True):
        assert_like_pytorch(
            nn.GRU(INPUTS, HIDDEN, 2, dropout=1.0, dtype="float64"),
            torch.nn.GRU(INPUTS, HIDDEN, 2, dropout=1.0), [filled(TIME, BATCH, INPUTS)],
            training=training,
        )  # fmt: skip
    with pytest.raises(StateError, match="GRU behaves differently"):
        nn.GRU(INPUTS, HIDDEN, 2, dropout=0.5)(asg.input("x", (TIME, BATCH, INPUTS)))


def test_a_sequence_of_no_steps_keeps_its_state() -> None:
    layer = nn.GRU(INPUTS, HIDDEN, bidirectional=True, dtype="float64")
    first, x = filled(2, 2, HIDDEN), filled(TIME, 2, INPUTS)
    lengths = asg.input("lengths", ("n",), "uint8")
    y, h = layer(asg.constant(x), asg.constant(first), lengths)
    session = asg.compile(asg.Graph(y=y, h=h)).start(0)
    found = session(lengths=np.array([0, 200], np.uint8))
    assert not found["y"][:, 0].any() and found["y"][:, 1].all()
    np.testing.assert_array_equal(found["h"][:, 0], first[:, 0])
    y, h = layer(asg.constant(x[:0]), asg.constant(first))
    found = asg.compile(asg.Graph(y=y, h=h)).start(0)()
    assert found["y"].shape == (0, 2, 2 * HIDDEN)
    np.testing.assert_array_equal(found["h"], first)


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_does_not_grow_with_the_sequence(kind: str) -> None:
    def nodes(steps: Any) -> int:
        layer = getattr(nn, kind)(INPUTS, HIDDEN, 2, bidirectional=True)
        with asg.StateTrace(training=True) as trace:
            loss = layer(asg.input("x", (steps, "n", INPUTS)))[0].sum()
            gradient = asg.grad(loss, {n: p.leaf for n, p in layer.parameters().items()})
            graph = trace.close({"loss": loss} | gradient)
        return len(asg.compile(graph).optimized.nodes)

    assert nodes(8) == nodes(4096) <= 150


def test_the_inputs_are_multiplied_once() -> None:
    y, _ = nn.LSTM(INPUTS, HIDDEN)(asg.input("x", ("t", "n", INPUTS)))
    graph = asg.Graph(y=y)
    (loop,) = [node for node in graph.nodes if node.op.name == "scan"]
    products = [n for n in loop.op.body.nodes if n.op.name == "matmul"]  # type: ignore[attr-defined]
    assert [str(n.inputs[1].type) for n in products] == [f"f32[{HIDDEN}, {4 * HIDDEN}]"]
    assert sum(node.op.name == "matmul" for node in graph.nodes) == 1


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.RNN(2, 4), "RNN(2, 4)"),
        (nn.RNNCell(2, 4), "RNNCell(2, 4)"),
        (
            nn.RNNCell(2, 4, bias=False, nonlinearity="relu"),
            "RNNCell(2, 4, bias=False, nonlinearity=relu)",
        ),
        (nn.GRUCell(2, 4, bias=False), "GRUCell(2, 4, bias=False)"),
        (
            nn.LSTM(2, 4, 2, False, True, 0.5, True, 3),
            "LSTM(2, 4, proj_size=3, num_layers=2, bias=False, batch_first=True, dropout=0.5, "
            "bidirectional=True)",
        ),
    ],
    ids=str,
)
def test_repr_is_pytorchs(layer: nn.Module, text: str) -> None:
    assert repr(layer) == text


def test_parameters_are_declared_in_pytorchs_order_and_range() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = nn.LSTM(2, 16, 2, bidirectional=True, proj_size=3)
    theirs = torch.nn.LSTM(2, 16, 2, bidirectional=True, proj_size=3)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, array in ours.state_dict().items():
        assert 0.15 < np.abs(array).max() <= 0.25, name
        assert abs(array.mean()) < 0.1, name


WRONG: list[tuple[str, Any, type[AsgError], str]] = [
    ("input_size", lambda: nn.RNN(0, 4), OperandError, "input_size=0"),
    ("hidden_size", lambda: nn.LSTM(2, -1), OperandError, "hidden_size=-1"),
    ("cell", lambda: nn.GRUCell(2.0, 4), OperandError, r"input_size=2\.0"),  # type: ignore[arg-type]
    ("layers", lambda: nn.GRU(2, 4, 0), OperandError, "num_layers=0"),
    ("nonlinearity", lambda: nn.RNN(2, 4, 1, "gelu"), OperandError, "nonlinearity='gelu'"),
    ("cell's", lambda: nn.RNNCell(2, 4, True, "elu"), OperandError, "nonlinearity='elu'"),
    ("bias", lambda: nn.GRU(2, 4, bias=1), OperandError, "bias=1"),  # type: ignore[arg-type]
    ("batch_first", lambda: nn.GRU(2, 4, batch_first="yes"), OperandError, "batch_first='yes'"),  # type: ignore[arg-type]
    ("dropout", lambda: nn.LSTM(2, 4, 2, dropout=1.5), OperandError, r"dropout=1\.5"),
    ("one layer", lambda: nn.LSTM(2, 4, dropout=0.5), OperandError, "between layers"),
    ("proj", lambda: nn.LSTM(2, 4, proj_size=4), OperandError, "proj_size=4"),
    ("proj type", lambda: nn.LSTM(2, 4, proj_size=True), OperandError, "proj_size=True"),
    ("axes", lambda: nn.RNN(2, 4)(asg.zeros((3,))), ShapeError, r"time, batch, input_size"),
    ("first", lambda: nn.RNN(2, 4, batch_first=True)(asg.zeros((1, 2, 3, 4))), ShapeError,
     r"batch, time, input_size"),
    ("size", lambda: nn.RNN(2, 4)(asg.zeros((5, 3, 3))), ShapeError, "3 against 2"),
    ("state", lambda: nn.RNN(2, 4)(asg.zeros((5, 3, 2)), asg.zeros((1, 4, 4))), ShapeError,
     r"hx is f32\[1, 4, 4\], but \[1, 3, 4\]"),
    ("axes of the state", lambda: nn.RNN(2, 4)(asg.zeros((5, 3, 2)), asg.zeros((3, 4))), ShapeError,
     "hx is"),
    ("dtype", lambda: nn.GRU(2, 4)(asg.zeros((5, 3, 2)), asg.zeros((1, 3, 4), "float64")),
     DtypeError, "hx is f64.*computes in float32"),
    ("c", lambda: nn.LSTM(2, 4)(asg.zeros((5, 3, 2)), (asg.zeros((1, 3, 4)), asg.zeros((1, 3, 5)))),
     ShapeError, "c is f32"),
    ("pair", lambda: nn.LSTM(2, 4)(asg.zeros((5, 3, 2)), asg.zeros((1, 3, 4))),
     OperandError, r"two states \(h, c\)"),
    ("cell's pair", lambda: nn.LSTMCell(2, 4)(asg.zeros((2,)), (asg.zeros((4,)),)),
     OperandError, r"two states \(h, c\)"),
    ("cell's state", lambda: nn.GRUCell(2, 4)(asg.zeros((3, 2)), asg.zeros((4,))), ShapeError,
     r"hx is f32\[4\], but \[3, 4\]"),
    ("cell's axes", lambda: nn.GRUCell(2, 4)(asg.zeros((3, 3, 2))), ShapeError,
     "batch, input_size"),
    ("lengths", lambda: nn.GRU(2, 4)(asg.zeros((5, 3, 2)), lengths=[1, 2]), ShapeError,
     r"lengths is .*\[2\], but \[3\]"),
    ("lengths' dtype", lambda: nn.GRU(2, 4)(asg.zeros((5, 1, 2)), lengths=[1.0]), DtypeError,
     "lengths is f32"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "build", "error", "text"), WRONG, ids=[row[0] for row in WRONG])
def test_what_does_not_fit_is_refused(
    what: str, build: Any, error: type[AsgError], text: str
) -> None:
    with pytest.raises(error, match=text):
        build()
