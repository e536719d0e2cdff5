"""Text is read back to the same graph, and what cannot be read is refused with its line."""

import importlib
import pkgutil
from textwrap import dedent
from time import process_time
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import asg
import asg.testing.samples
from asg import nn, optim
from asg.core.array_data import ArrayData
from asg.core.dim import symbol
from asg.core.dtype import float32
from asg.core.errors import TextError
from asg.core.graph import Graph
from asg.core.parse_value import ValueReader, split
from asg.core.registry import OPS
from asg.core.text import value_text
from asg.core.types import TensorType
from asg.core.verify import verify
from asg.testing.applied import apply_sample, apply_symbolic
from asg.testing.comparison import difference
from asg.testing.parity import compile_plainly
from asg.testing.sample import SAMPLES, Sample
from tests.core.test_text import NUMBERS

for _module in pkgutil.iter_modules(asg.testing.samples.__path__):
    importlib.import_module(f"asg.testing.samples.{_module.name}")


def reread(graph: Graph) -> Graph:
    """The graph read back; its text must be the same."""
    text = asg.graph_text(graph, full=True)
    found = verify(asg.parse(text))
    assert asg.graph_text(found, full=True) == text
    assert str(found) == str(graph)
    return found


# -- what is read ------------------------------------------------------------------------------


def test_every_kind_of_line() -> None:
    text = dedent("""
        graph "my step" {
          dim m minimum=8 multiple_of=4
          input x: f32[n, m]
          parameter "my weight": f32[2]
          counter count: i32[]
          %0 = sum(x, axis=(0, 1), keepdims=false) : f32[]
          %1 = multiply("my weight", %0) : f32[2]
          %2 = add(count, i32(1)) : i32[]
          output "a = b" = %1
          next count = %2
          check n == m "made up \\" reason"
        }""").strip()
    graph = verify(asg.parse(text))
    assert str(graph) == text
    assert graph.name == "my step"
    assert graph.input_names == ("x", "my weight", "count")
    assert list(graph.feeds) == ["x"] and list(graph.results) == ["a = b"]
    assert [(slot.input, slot.output) for slot in graph.state] == [(1, None), (2, 1)]
    m: Any = graph.inputs[0].shape[1]
    assert m == symbol("m", minimum=8, multiple_of=4)
    (check,) = graph.checks
    assert (str(check.left), check.relation, check.reason) == ("n", "==", 'made up " reason')


def test_blank_lines_and_comments_mean_nothing() -> None:
    text = """
    graph g {  # of "old
      input x: f32[2]  # my.py:3 in "f"  # twice

      %0 = tanh(x) : f32[2]  # [block]
      output "y  # z" = %0  # end
    }
    """
    assert asg.parse(text).output_names == ("y  # z",)
    assert "y  # z" in str(reread(asg.parse(text)))


def test_locations_are_skipped() -> None:
    with asg.scope("two\nlines  # and a mark"):
        y = asg.tanh(asg.input("x", (2,)) * 2.0)
    graph = Graph(y=y)
    assert str(asg.parse(asg.graph_text(graph, locations=True))) == str(graph)


def test_numbers_need_not_be_dense() -> None:
    text = """graph g {
      input x: f32[2]
      %7 = tanh(x) : f32[2]
      %3 = exp(%7) : f32[2]
      output y = %3
    }"""
    assert "%1 = exp(%0)" in str(asg.parse(text))


def test_names_like_numbers_and_keywords() -> None:
    x, y, z = (asg.input(name, (2,)) for name in ("x", "y", "z"))
    graph = Graph.of([x, y, z], [asg.exp(x) * y - z], [""], (), "", ["%0", "true", "a = b: c"])
    found = reread(graph)
    assert found.input_names == graph.input_names and found.name == ""
    feeds = [np.array([0.1, 0.2], np.float32) * i for i in (1, 2, 3)]
    np.testing.assert_array_equal(asg.compile(found)(*feeds)[""], asg.compile(graph)(*feeds)[""])


def test_symbols_named_like_numbers() -> None:
    x = asg.input("x", ("inf", "true", 2))
    y = asg.broadcast_to(asg.reshape(x, ("inf", "2*true")), ("nan", "inf", "2*true"))
    assert reread(Graph(y=y)).outputs[0].type == y.type


def test_bounds_of_sizes_are_kept() -> None:
    x = asg.input("x", (asg.dim("n", minimum=0), asg.dim("m", multiple_of=4)))
    found = reread(Graph(y=x.reshape((-1,)), parts=asg.split(x, 4, axis=1)))
    assert found.inputs[0].type == x.type


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 3, -3, 3.0, -0.0, 1e-5, 1e22, 0.1, float("inf"), float("-inf"),
        "ij,jk->ik", 'a "b" \\ \n, (', "", (), (1,), ((),), (1, (2.0, "x,")), float32,
        TensorType.of("int8", ("n", 2)), TensorType.of("int8", ()), 2 * symbol("n") + 1,
        symbol("inf"), -symbol("nan"), symbol("none") + 1, (symbol("true"), 1),
        (symbol("n") + 1) // 2 * (symbol("m") + 1), -(symbol("n") // 2), (symbol("n") + 1) % 3,
    ],
)  # fmt: skip
def test_values_are_read_as_they_were_written(value: Any) -> None:
    found = ValueReader().value(value_text(value))
    assert found == value and type(found) is type(value)
    assert str(found) == str(value)  # -0.0 is not 0.0, 3.0 is not 3


def test_nan_is_read() -> None:
    assert np.isnan(ValueReader().value("nan"))


def _all_of(dtype: Any) -> np.ndarray[Any, Any]:
    """Every number of a sixteen-bit dtype but the NaNs, of which text knows only one."""
    array: np.ndarray[Any, Any] = np.arange(2**16, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):  # some of the NaNs are signalling
        kept: np.ndarray[Any, Any] = array[~np.isnan(array)]
    return kept


@pytest.mark.parametrize("array", [array for array, _ in NUMBERS])
@pytest.mark.parametrize("count", [1, 20])
def test_arrays_are_read_to_the_bit(array: np.ndarray[Any, Any], count: int) -> None:
    data = ArrayData(np.stack([array] * count))
    assert ValueReader().value(value_text(data, full=True)) == data


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_every_number_of_sixteen_bits_is_read_to_the_bit(dtype: Any) -> None:
    reader = ValueReader()
    for part in np.array_split(_all_of(dtype), 4096):
        data = ArrayData(part.copy())
        text = value_text(data)
        assert "digest" not in text and reader.value(text) == data


def test_floats_are_read_to_the_bit() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, (500, 4), dtype=np.uint32)
    reader = ValueReader()
    for array in (*bits.view(np.float32), *bits.view(np.float64)):
        data = ArrayData(np.where(np.isnan(array), 0, array).astype(array.dtype))
        assert reader.value(value_text(data)) == data


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("", []),
        ("a", ["a"]),
        ("a, (1, 2), b=[x, y]", ["a", "(1, 2)", "b=[x, y]"]),
        ('"a, (", b', ['"a, ("', "b"]),
        ('"a\\", b", c', ['"a\\", b"', "c"]),
        ("array<f32[2, 2] 1 2>, x", ["array<f32[2, 2] 1 2>", "x"]),
    ],
)
def test_items_are_split_at_top_level_commas(text: str, items: list[str]) -> None:
    assert split(text) == items


# -- what is refused ---------------------------------------------------------------------------

HEAD = "graph g {\n  input x: f32[n, 3]\n  input i: i32[n]\n  parameter w: f32[3]\n"
BODIES = [
    ("%0 = tank(x) : f32[n, 3]", "no op named 'tank' is registered; did you mean tan"),
    ("%0 = tanh(x, axis=1) : f32[n, 3]", "tanh has no attribute 'axis'; it has none"),
    ("%0 = sum(x, axs=(0,)) : f32[3]", "sum has no attribute 'axs'; it has axis, keepdims"),
    ("%0 = sum(x) : f32[3]", "sum needs the attribute 'axis'; it has axis, keepdims"),
    ("%0 = sum(x, axis=(0,), axis=(1,)) : f32[3]", "attribute 'axis' is given twice"),
    ("%0 = sum(x, axis=0) : f32[3]", "not sorted, distinct and counted from the front"),
    ("%0 = sum(x, axis=(2,)) : f32[3]", "axis 2 does not exist"),
    ("%0 = reshape(x, shape=3) : f32[3]", "reshape cannot have attributes shape=3"),
    ('%0 = cast(x, dtype="f64") : f64[n, 3]', "cast cannot have attributes dtype='f64'"),
    ('%0 = reshape(x, shape=("n", 3)) : f32[n, 3]', "cannot reshape f32[n, 3] to [n, 3]"),
    ("%0 = tanh(y) : f32[n, 3]", "y is not defined above this line"),
    ("%0 = tanh(%5) : f32[n, 3]", "%5 is not defined above this line"),
    ('%0 = tanh("x y") : f32[n, 3]', '"x y" is not defined above this line'),
    ("%0 = tanh() : f32[n, 3]", "tanh takes 1 operands (x), 0 given"),
    ("%0 = concat(x, i, axis=0) : f32[2*n, 3]", "operand 1 has 1 axes"),
    ("%0 = tanh(i) : f32[n]", "a floating dtype is needed"),
    ("%0 = tanh(x) : f32[3, n]", "tanh has type f32[n, 3]"),
    ("%0 = tanh(x) : f64[n, 3]", "tanh has type f32[n, 3]"),
    ("%0 = tanh(x) : f32[n, 3], f32[n]", "tanh has type f32[n, 3]"),
    ("%0 = split(x, sizes=(1, 2), axis=1) : f32[n, 1]", "has type f32[n, 1], f32[n, 2]"),
    ("%0 = tanh(x)", "an op line reads '%0 = op(operands, attribute=value) : type'"),
    ("%0 = tanh x : f32[n, 3]", "an op line reads"),
    ("%a = tanh(x) : f32[n, 3]", "an op line reads"),
    ("%0 = tanh(x) : f32", "'f32' is not a type such as f32[batch, 3]"),
    ("%0 = tanh(x) : g32[n, 3]", "unknown dtype 'g32'"),
    ("%0 = tanh(x) : f32[n +, 3]", "cannot read the size 'n +'"),
    ("%0 = reshape(x, shape=(n*, 3)) : f32[n, 3]", "cannot read the size 'n*'"),
    ("%0 = multiply(x, f32(two)) : f32[n, 3]", "damaged array: 'two' is not a float32"),
    ("%0 = multiply(x, g32(2.0)) : f32[n, 3]", "unknown dtype 'g32'"),
    ("%0 = bitwise_and(i, i8(200)) : i32[n]", "damaged array: 200 does not fit int8"),
    ('%0 = einsum(x, spec="ab->b) : f32[3]', "a string is not closed"),
    ('%0 = einsum(x, spec="ab->b"b) : f32[3]', '"ab->b"b is not a value'),
    ("input x: f32[2]", "'x' is declared twice"),
    ("statistic x: f32[2]", "'x' is declared twice"),
    ("input y f32[2]", "a declaration reads 'name: f32[batch, 3]'"),
    ("input : f32[2]", "a declaration reads 'name: f32[batch, 3]'"),
    ("input two words: f32[2]", "a declaration reads 'name: f32[batch, 3]'"),
    ("input y: f32[-1]", "size -1 in shape (-1,) is negative"),
    ("inputs y: f32[2]", "unknown line; it starts with 'inputs'"),
    ("output x", "an output reads 'output name = %0'"),
    ("output = x", "an output reads 'output name = %0'"),
    ('output "a = x', "a string is not closed"),
    ("output y = %3", "%3 is not defined above this line"),
    ("next w x", "a next value reads 'next name = %0'"),
    ("next x = x", "'x' is not a variable of this graph"),
    ("next v = w", "'v' is not a variable of this graph"),
    ("dim n minimum=2 multiple_of=1", "declared once, before the inputs"),
    ("dim n", "a dim line reads 'dim n minimum=2 multiple_of=8'"),
    ("check n = 3", "a check reads"),
    ('check n == 3 "reason', "a check reads"),
    ("check n == 3+ \"reason\"", "cannot read the size '3+'"),
    ("graph h {", "a graph starts with 'graph name {', once"),
    ("%0 = constant(data=array<f32[20] digest 0123>) : f32[20]", "with full=True"),
    ("%0 = constant(data=array<f32[3] 1.0 2.0>) : f32[3]", "has 2 elements, 3 are needed"),
    ("%0 = constant(data=array<f32[1] 1.0 2.0>) : f32[1]", "has 2 elements, 1 are needed"),
    ("%0 = constant(data=array<f32[n] 1.0>) : f32[n]", "needs literal sizes, not f32[n]"),
    ("%0 = constant(data=array<f32[1] 1,0>) : f32[1]", "damaged array: '1,0' is not a float32"),
    ("%0 = constant(data=array<i32[1] 1.0>) : i32[1]", "damaged array: '1.0' is not a int32"),
    ("%0 = constant(data=array<bool[1] 1>) : bool[1]", "damaged array: '1' is not a bool"),
    ("%0 = constant(data=array<u8[1] 256>) : u8[1]", "damaged array: 256 does not fit uint8"),
    ("%0 = constant(data=array<f16[1] 1e9>) : f16[1]", "damaged array: 1e9 does not fit float16"),
    ("%0 = constant(data=array<f32[3 1.0>) : f32[3]", "cannot read the size '3 1.0'"),
    ("%0 = constant(data=array<f32[2] base64 AAA?AAA=>) : f32[2]", "damaged array: "),
    ("%0 = constant(data=array<f32[2] base64 AAAAA>) : f32[2]", "damaged array: "),
    ("%0 = constant(data=array<f32[2] base64 AAAAAA==>) : f32[2]", "has 4 bytes, 8 are needed"),
    ("%0 = constant(data=array<f32[2] base64>) : f32[2]", "has 0 bytes, 8 are needed"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), BODIES, ids=[line for line, _ in BODIES])
def test_a_bad_line_is_named(line: str, message: str) -> None:
    with pytest.raises(TextError) as caught:
        asg.parse(f"{HEAD}  {line}\n  output z = x\n}}")
    shown = str(caught.value)
    assert shown.startswith("line 5: ") and shown.endswith(f"\n  {line}")
    assert message in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the text ends before the closing '}'"),
        ("input x: f32[2]", "line 1: a graph starts with 'graph name {'"),
        ("graph g\n}", "line 1: a graph starts with 'graph name {'"),
        ("graph two words {\n}", "line 1: a graph starts with 'graph name {'"),
        ("graph g {\n  input x: f32[2]\n  output y = x", "line 3: the text ends before"),
        ("graph g {\n  output y = f32(1.0)\n}\n  output z = x", "line 4: a graph starts with"),
        ("graph g {\n  input x: f32[2]\n}", "line 3: a graph needs at least one output"),
        ("graph g {\n  output y = f32(1.0)\n  output y = f32(2.0)\n}", "line 3: 'y' is given"),
        ("graph g {\n  counter c: i32[]\n  next c = c\n  next c = c\n}", "line 4: 'next:c' is"),
        (
            "graph g {\n  input x: f32[2]\n  %0 = exp(x) : f32[2]\n  %0 = sin(x) : f32[2]\n}",
            "line 4: %0 is defined twice",
        ),
        (
            "graph g {\n  dim n minimum=2 multiple_of=1\n  dim n minimum=3 multiple_of=1\n}",
            "line 3: the bounds of 'n' are declared once",
        ),
        ("graph g {\n  dim n minimum=2 multiple_of=0\n}", "line 2: size 'n': multiple_of must"),
    ],
)
def test_a_text_of_the_wrong_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(TextError) as caught:
        asg.parse(text)
    assert str(caught.value).startswith(message)


def test_an_abbreviated_constant_cannot_be_read() -> None:
    graph = Graph(y=asg.constant(np.arange(17.0)))
    with pytest.raises(TextError, match=r"line 2: the array is abbreviated.*full=True"):
        asg.parse(str(graph))
    reread(graph)


# -- every op, and a whole training step ---------------------------------------------------------


def _graphs_of(sample: Sample) -> list[tuple[Graph, dict[str, Any]]]:
    applied = [apply_sample(sample)]
    applied += [apply_symbolic(sample)] if sample.symbolic is not None else []
    graphs = []
    for each in applied:
        names = {f"y{i}": output for i, output in enumerate(each.outputs)}
        graph = Graph(names, inputs=each.inputs or None)
        fed = zip(graph.input_names, each.arrays, strict=False)
        graphs.append((graph, dict(fed)))
    return graphs


@pytest.mark.parametrize("op_class", OPS.values(), ids=list(OPS))
def test_every_sample_is_read_back(op_class: Any) -> None:
    if not op_class.__module__.startswith("asg."):
        pytest.skip("an op that a test made up")
    for sample in SAMPLES[op_class]:
        for graph, _ in _graphs_of(sample):
            reread(graph)


@pytest.mark.parametrize("name", ["take", "einsum", "split", "clip", "layer_norm", "dropout"])
def test_what_was_read_computes_the_same(name: str) -> None:
    for sample in SAMPLES[OPS[name]]:
        graph, feeds = _graphs_of(sample)[0]
        expected = compile_plainly(graph, "numpy")(**feeds)
        found = compile_plainly(reread(graph), "numpy")(**feeds)
        assert not [n for n in expected if difference(found[n], expected[n])]


def test_a_training_step_is_read_back_and_trains_equally() -> None:
    net = nn.Sequential(fc1=nn.Linear(4, 8), act=nn.ReLU(), fc2=nn.Linear(8, 3))
    build = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(1e-2))
    step = build(images=("batch", 4), labels=(("batch",), "int32"))
    session = asg.compile(step).start(seed=3)
    found = asg.compile(reread(step)).start(state=session.state_dict())
    random = np.random.default_rng(0)
    for size in (5, 2, 5):
        images = random.normal(size=(size, 4)).astype(np.float32)
        labels = random.integers(0, 3, size, dtype=np.int32)
        expected, results = (s(images=images, labels=labels) for s in (session, found))
        assert not difference(results["loss"], expected["loss"])
    after = found.state_dict()
    assert all(not difference(after[n], array) for n, array in session.state_dict().items())
    assert after["fc1.weight"].std() > 0 and session.state_dict().keys() == after.keys()


def test_an_optimised_and_lowered_step_is_read_back() -> None:
    x, w = asg.input("x", ("n", 3)), asg.parameter("w", (3,), init=1.0)
    loss = asg.mean(asg.log_softmax(asg.gelu(x * w)) * asg.tanh(x))
    step = asg.train_step(loss, optimizer=optim.sgd(0.1, momentum=0.9))
    reread(step.optimize())
    reread(step.optimize("numpy"))


# -- size ----------------------------------------------------------------------------------------


def _chain(length: int) -> Graph:
    y = asg.input("x", ("n", 3))
    for i in range(length):
        y = y * 0.5 if i % 2 else asg.tanh(y)
    return Graph(y=y)


def _wide(length: int) -> Graph:
    """Many inputs, variables, outputs, next values and checks."""
    cells = [asg.Variable(f"v{i}", (), 1.0) for i in range(length // 4)]
    total = asg.input("x", ("n",))
    with asg.StateTrace() as trace:
        for i, cell in enumerate(cells):
            cell.write(cell.read() * 2.0)
            total = total + asg.input(f"x{i}", (f"n{i}",))
        return trace.close({f"y{i}": cell.read() for i, cell in enumerate(cells)} | {"t": total})


def _broad(length: int) -> Graph:
    """Many operands, outputs and attributes of single nodes."""
    whole = asg.concat([asg.input(f"x{i}", (1,)) for i in range(length // 4)])
    pieces = asg.split(whole, length // 4)
    return Graph({f"y{i}": piece for i, piece in enumerate(pieces)})


def _seconds(graph: Graph) -> float:
    start = process_time()
    text = str(graph)
    asg.parse(text)
    return process_time() - start


@pytest.mark.parametrize("make", [_chain, _wide, _broad])
def test_writing_and_reading_grow_linearly(make: Any) -> None:
    """Eight times the nodes must cost far less than the 64-fold of a quadratic reader."""
    small = min(_seconds(make(1_000)) for _ in range(3))
    large = min(_seconds(make(8_000)) for _ in range(2))  # one may meet a walk of all objects
    assert large < 30 * small + 0.1
