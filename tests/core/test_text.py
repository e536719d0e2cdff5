"""What graphs look like as text, to the letter."""

import inspect
import os
from textwrap import dedent
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import asg
from asg.core.array_data import ArrayData
from asg.core.dim import symbol
from asg.core.dtype import bfloat16, float32
from asg.core.errors import TextError
from asg.core.graph import Graph
from asg.core.origin import scope
from asg.core.text import array_text, node_line, quoted, value_text
from asg.core.types import TensorType


def golden(text: str) -> str:
    return dedent(text).strip()


# -- whole graphs ------------------------------------------------------------------------------


def test_inputs_nodes_and_outputs() -> None:
    x, w = asg.input("x", ("batch", 3)), asg.input("w", (3,), "float64")
    loss = asg.sum(x * w, axis=(0, 1))
    assert str(Graph(loss=loss, x=x, name="loss")) == golden("""
        graph loss {
          input x: f32[batch, 3]
          input w: f64[3]
          %0 = cast(x, dtype=@f64) : f64[batch, 3]
          %1 = multiply(%0, w) : f64[batch, 3]
          %2 = sum(%1, axis=(0, 1), keepdims=false) : f64[]
          output loss = %2
          output x = x
        }""")


def test_numbers_do_not_depend_on_when_a_graph_was_built() -> None:
    def build() -> str:
        x = asg.input("x", (2,))
        asg.exp(x)  # used by nobody
        return str(Graph(y=asg.tanh(asg.sin(x))))

    assert build() == build()
    assert "%0 = sin(x)" in build()


def test_unused_inputs_are_shown() -> None:
    x, spare = asg.input("x", ()), asg.input("spare", (2,))
    assert str(Graph(y=asg.exp(x), inputs=[spare, x])) == golden("""
        graph graph {
          input spare: f32[2]
          input x: f32[]
          %0 = exp(x) : f32[]
          output y = %0
        }""")


def test_variables_are_named_by_role_and_their_next_values_shown() -> None:
    weight = asg.parameter("fc1.weight", (2,), init=0.5)
    count = asg.Variable("count", (), init=0, dtype="int32", role="counter")
    key = asg.Variable("key", (2,), init=0, dtype="uint32", role="random_key")
    with asg.StateTrace() as trace:
        loss = asg.sum(weight.read()) + asg.sum(key.read()).astype("float32")
        count.write(count.read() + 1)
        weight.write(weight.read() * 0.5)
        graph = trace.close({"loss": loss}, "step")
    assert str(graph) == golden("""
        graph step {
          parameter fc1.weight: f32[2]
          counter count: i32[]
          random_key key: u32[2]
          %0 = sum(fc1.weight, axis=(0,), keepdims=false) : f32[]
          %1 = sum(key, axis=(0,), keepdims=false) : u32[]
          %2 = cast(%1, dtype=@f32) : f32[]
          %3 = add(%0, %2) : f32[]
          %4 = add(count, i32(1)) : i32[]
          %5 = multiply(fc1.weight, f32(0.5)) : f32[2]
          output loss = %3
          next fc1.weight = %5
          next count = %4
        }""")


def test_checks_that_are_left_to_run_time() -> None:
    a, b = asg.input("a", ("n",)), asg.input("b", ("2*m",))
    assert str(Graph(y=a + b)) == golden("""
        graph graph {
          input a: f32[n]
          input b: f32[2*m]
          %0 = add(a, b) : f32[n]
          output y = %0
          check n == 2*m "cannot broadcast: axis -1"
        }""")
    x = asg.input("x", (asg.dim("k", minimum=0),))
    assert str(Graph(y=asg.max(x))).splitlines()[-2:] == [
        '  check 1 <= k "max of no elements has no value"', "}",
    ]  # fmt: skip


def test_bounds_of_sizes_that_differ_from_the_default() -> None:
    n, m = asg.dim("n", minimum=0), asg.dim("m", minimum=8, multiple_of=4)
    x = asg.input("x", (n, m, "plain"))
    assert str(Graph(y=x.reshape(-1, m // 4))) == golden("""
        graph graph {
          dim m minimum=8 multiple_of=4
          dim n minimum=0 multiple_of=1
          input x: f32[n, m, plain]
          %0 = reshape(x, shape=(4*n*plain, m//4)) : f32[4*n*plain, m//4]
          output y = %0
        }""")


def test_several_outputs_of_one_node() -> None:
    x = asg.input("x", ("n", 5))
    first, second = asg.split(x, [2, 3], axis=1)
    (alone,) = asg.split(x, 1)
    assert str(Graph(a=second, b=first * 2.0, c=alone)) == golden("""
        graph graph {
          input x: f32[n, 5]
          %0 = split(x, sizes=(2, 3), axis=1) : f32[n, 2], f32[n, 3]
          %1 = split(x, sizes=(n,), axis=0) : f32[n, 5]
          %2 = multiply(%0.0, f32(2.0)) : f32[n, 2]
          output a = %0.1
          output b = %2
          output c = %1
        }""")


def test_scalars_stand_in_place_when_used_once() -> None:
    x = asg.input("x", (2,))
    once, twice, returned = asg.constant(0.1), asg.constant(3.0), asg.constant(-1.5)
    y = x * once + twice
    assert str(Graph(y=y * twice, z=y - returned, returned=returned)) == golden("""
        graph graph {
          input x: f32[2]
          %0 = constant(data=array<f32[] 3.0>) : f32[]
          %1 = constant(data=array<f32[] -1.5>) : f32[]
          %2 = multiply(x, f32(0.1)) : f32[2]
          %3 = add(%2, %0) : f32[2]
          %4 = multiply(%3, %0) : f32[2]
          %5 = subtract(%3, %1) : f32[2]
          output y = %4
          output z = %5
          output returned = %1
        }""")


def test_a_scalar_that_one_node_uses_twice_gets_a_line() -> None:
    two = asg.constant(2.0)
    assert "%1 = add(%0, %0)" in str(Graph(y=two + two))


def test_constants_small_large_and_full() -> None:
    small = asg.constant([[1, 2], [3, 4]], "int8")
    large = asg.constant(np.arange(17, dtype=np.float32))
    graph = Graph(small=small, large=large, filled=asg.full(("n", 2), True, "bool"))
    assert str(graph) == golden("""
        graph graph {
          %0 = constant(data=array<i8[2, 2] 1 2 3 4>) : i8[2, 2]
          %1 = constant(data=array<f32[17] digest a75087e84cf8>) : f32[17]
          %2 = full(value=true, dtype=@bool, shape=(n, 2)) : bool[n, 2]
          output small = %0
          output large = %1
          output filled = %2
        }""")
    assert asg.graph_text(graph, full=True).splitlines()[2] == (
        "  %1 = constant(data=array<f32[17] base64 AAAAAAAAgD8AAABAAABAQAAAgEAAAKBAAADAQAAA4EAAA"
        "ABBAAAQQQAAIEEAADBBAABAQQAAUEEAAGBBAABwQQAAgEE=>) : f32[17]"
    )


def test_different_large_constants_print_differently() -> None:
    def text(last: float) -> str:
        return str(Graph(y=asg.constant(np.array([0.0] * 20 + [last], np.float32))))

    assert text(1.0) == text(1.0) != text(2.0)


def test_names_that_need_quotes() -> None:
    x, y = asg.input("x", (2,)), asg.input("y", (2,))
    names = ["two words", "%0"]
    graph = Graph.of([x, y], [x * y], ['a = "b"'], (), "my graph", names)
    assert str(graph) == golden(r"""
        graph "my graph" {
          input "two words": f32[2]
          input "%0": f32[2]
          %0 = multiply("two words", "%0") : f32[2]
          output "a = \"b\"" = %0
        }""")


@pytest.mark.parametrize("name", ["x", "fc1.weight", "block/0:out", "größe", "_"])
def test_plain_names(name: str) -> None:
    assert quoted(name) == name


@pytest.mark.parametrize("name", ["", "1x", "a b", "a,b", "a(1)", "%0", 'a"', "a\n", "a=b", "-"])
def test_names_in_quotes(name: str) -> None:
    assert quoted(name).startswith('"') and "\n" not in quoted(name)


# -- locations ---------------------------------------------------------------------------------


def test_locations_are_comments() -> None:
    x = asg.input("x", (3,))
    with scope("block"):
        y, line = asg.tanh(x), _line()
    dx = asg.grad(y.sum(), x)
    place = f"{os.path.relpath(__file__)}:{line} in test_locations_are_comments"
    lines = asg.graph_text(Graph(y=y, dx=dx), locations=True).splitlines()
    assert lines[:3] == [
        "graph graph {",
        "  input x: f32[3]",
        f"  %0 = tanh(x) : f32[3]  # {place} [block]",
    ]
    assert lines[-4].endswith(f"# {place} [block] <- gradient tanh")
    assert lines[-3:] == ["  output y = %0", f"  output dx = {lines[-4].split()[0]}", "}"]


def test_a_comment_stays_on_its_line() -> None:
    with scope("two\nlines"):
        y = asg.tanh(asg.input("x", ()))
    text = asg.graph_text(Graph(y=y), locations=True)
    assert len(text.splitlines()) == 5 and r"[two\nlines]" in text


def _line() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


# -- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (-3, "-3"),
        (3.0, "3.0"),
        (-0.0, "-0.0"),
        (1e-5, "1e-05"),
        (1e22, "1e+22"),
        (0.1, "0.1"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        ("ij,jk->ik", '"ij,jk->ik"'),
        ('a "b" \\ \n', '"a \\"b\\" \\\\ \\n"'),
        ("", '""'),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, (2.0, "x")), '(1, (2.0, "x"))'),
        (float32, "@f32"),
        (bfloat16, "@bf16"),
        (TensorType.of("int8", ("n", 2)), "@i8[n, 2]"),
        (2 * symbol("n") + 1, "2*n + 1"),
        (symbol("inf"), "(inf)"),
        (symbol("none") + 1, "none + 1"),
        ((symbol("true"), 1), "((true), 1)"),
    ],
)
def test_values(value: Any, text: str) -> None:
    assert value_text(value) == text


def test_a_value_without_text_form_is_an_error() -> None:
    with pytest.raises(TextError, match="type set has no text form"):
        value_text({1})


NUMBERS = [
    (np.array(0.1, np.float32), "array<f32[] 0.1>"),
    (np.array(0.1, np.float64), "array<f64[] 0.1>"),
    (np.array(1 / 3, np.float16), "array<f16[] 0.3333>"),
    (np.array([3.14159, 1e-40], ml_dtypes.bfloat16), "array<bf16[2] 3.14062 9.18355e-41>"),
    (np.array([np.nan, np.inf, -np.inf, -0.0]), "array<f64[4] nan inf -inf -0.0>"),
    (np.array([5e-324, 1.7976931348623157e308]), "array<f64[2] 5e-324 1.7976931348623157e+308>"),
    (np.array([True, False]), "array<bool[2] true false>"),
    (np.array([-128, 127], np.int8), "array<i8[2] -128 127>"),
    (np.array([2**64 - 1], np.uint64), "array<u64[1] 18446744073709551615>"),
    (np.zeros((2, 0), np.float32), "array<f32[2, 0]>"),
]


@pytest.mark.parametrize(("array", "text"), NUMBERS)
def test_arrays(array: np.ndarray[Any, Any], text: str) -> None:
    assert array_text(ArrayData(array), full=False) == text


# -- one line, as messages and differences show it ------------------------------------------------


def test_a_node_alone_is_shown_by_lineage() -> None:
    x = asg.input("x", ("n",))
    y = asg.tanh(x) * 2.0
    lineage = y.node.inputs[0].node.lineage
    line = f"%{y.node.lineage} = multiply(%{lineage}, 2.0) : f32[n]"
    assert node_line(y.node) == line
    assert node_line(y.node.inputs[0].node) == f"%{lineage} = tanh(x) : f32[n]"
    piece = asg.split(y, 1)[0]
    assert node_line(asg.exp(piece).node).endswith(f"= exp(%{piece.node.lineage}) : f32[n]")


def test_a_rewired_node_keeps_its_name() -> None:
    x = asg.input("x", (2,))
    y = asg.exp(asg.tanh(x))
    changed = y.node.with_inputs((asg.sin(x),))
    assert node_line(changed).split(" = ")[0] == node_line(y.node).split(" = ")[0]
