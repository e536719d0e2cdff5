"""Wrong arrays: each gives one clear error that names the input and both claims, or none is due."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import FeedError, GraphError, OperandError, StateError, UnknownName

X = np.ones((4, 3), np.float32)
Y = np.ones(4, np.float32)
I = np.array([0, 1, 2, 0], np.int32)  # noqa: E741 - short on purpose


def program() -> Any:
    x, y = asg.input("images", ("batch", 3)), asg.input("targets", ("batch",))
    labels = asg.input("labels", ("batch",), "int32")
    loss = ((x.sum(1) - y) * labels).sum()
    return asg.compile(asg.Graph(loss=loss))


def feeds(**changed: Any) -> dict[str, Any]:
    return {"images": X, "targets": Y, "labels": I, **changed}


def refusal(**changed: Any) -> str:
    with pytest.raises(FeedError) as caught:
        program()(**feeds(**changed))
    return str(caught.value)


def test_the_right_arrays_run() -> None:
    assert program()(**feeds())["loss"] == 6.0


def test_two_inputs_that_disagree_about_a_size() -> None:
    message = refusal(targets=np.ones(5, np.float32))
    assert "'targets' axis 0 has size 5" in message
    assert "batch = 4 from 'images' axis 0" in message


def test_every_disagreement_is_told_at_once() -> None:
    message = refusal(targets=np.ones(5, np.float32), labels=np.zeros(6, np.int32))
    assert "'targets' axis 0 has size 5" in message
    assert "'labels' axis 0 has size 6" in message


def test_a_literal_size_that_is_wrong() -> None:
    message = refusal(images=np.ones((4, 7), np.float32))
    assert "'images' axis 1 has size 7, expected 3" in message


@pytest.mark.parametrize("shape", [(12,), (1, 4, 3), ()])
def test_a_wrong_rank(shape: tuple[int, ...]) -> None:
    message = refusal(images=np.ones(shape, np.float32))
    assert f"'images' has {len(shape)} axes" in message
    assert "f32[batch, 3]" in message


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "bool", "complex64"])
def test_an_array_of_another_dtype_is_not_converted_silently(dtype: str) -> None:
    message = refusal(images=X.astype(dtype))
    assert f"'images' has dtype {dtype}, declared f32[batch, 3]" in message
    assert "astype('float32')" in message


def test_big_endian_arrays_are_refused() -> None:
    assert "'images' has dtype >f4" in refusal(images=X.astype(">f4"))


def test_float_labels_where_integers_are_declared() -> None:
    message = refusal(labels=I.astype(np.float32))
    assert "'labels' has dtype float32, declared i32[batch]" in message
    message = refusal(labels=[0.0, 1.0, 2.0, 0.0])
    assert "'labels'" in message and "float" in message


def test_not_a_number_among_the_labels() -> None:
    message = refusal(labels=[0, 1, float("nan"), 0])
    assert "'labels'" in message and "float" in message


def test_python_integers_that_do_not_fit() -> None:
    assert "'labels' holds integers that do not fit int32" in refusal(labels=[0, 1, 2**40, 0])


def test_lists_of_numbers_are_converted() -> None:
    given = feeds(images=X.tolist(), targets=[1, 1, 1, 1], labels=I.tolist())
    assert program()(**given)["loss"] == 6.0


def test_ragged_lists() -> None:
    message = refusal(images=[[1.0, 2.0, 3.0], [4.0]])
    assert "'images' cannot become an array" in message


@pytest.mark.parametrize(
    "value", [object(), None, "text", {"a": 1}, np.array(["a", "b"]), np.array([object()])]
)
def test_what_is_no_array(value: Any) -> None:
    assert "'images'" in refusal(images=value)


def test_a_symbolic_tensor_is_no_array() -> None:
    assert "symbolic tensor" in refusal(images=asg.input("other", (4, 3)))


def test_a_missing_input() -> None:
    given = feeds()
    del given["targets"]
    with pytest.raises(FeedError, match=r"'targets': f32\[batch\] is missing"):
        program()(**given)


def test_an_unexpected_input_gets_a_close_name() -> None:
    with pytest.raises(FeedError) as caught:
        program()(images=X, target=Y, labels=I)
    message = str(caught.value)
    assert "'target' is not an input; did you mean 'targets'?" in message
    assert "'targets': f32[batch] is missing" in message
    assert "inputs: images, targets, labels" in message


def test_too_many_and_doubled_arrays() -> None:
    with pytest.raises(FeedError, match="4 arrays given for 3 inputs"):
        program()(X, Y, I, Y)
    with pytest.raises(FeedError, match="'images' is given twice"):
        program()(X, Y, images=X, labels=I)


@pytest.mark.parametrize(
    "arranged",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.ascontiguousarray(x.T).T,
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x[::-1],
        lambda x: np.broadcast_to(np.float32(1.0), (4, 3)),
    ],
)
def test_any_strides_will_do(arranged: Callable[[Any], Any]) -> None:
    assert program()(**feeds(images=arranged(X)))["loss"] == 6.0


def test_read_only_arrays_will_do_and_stay_as_they_are() -> None:
    locked = X.copy()
    locked.flags.writeable = False
    assert program()(**feeds(images=locked))["loss"] == 6.0
    np.testing.assert_array_equal(locked, X)


def test_an_empty_batch_is_below_the_minimum_of_a_size() -> None:
    empty = {"images": X[:0], "targets": Y[:0], "labels": I[:0]}
    with pytest.raises(FeedError) as caught:
        program()(**empty)
    assert "'images' axis 0 has size 0" in str(caught.value)
    assert "minimum" in str(caught.value)


def test_a_bound_below_what_the_expression_allows() -> None:
    x = asg.input("x", ("n + 2",))
    with pytest.raises(FeedError, match=r"'x' axis 0 has size 1, declared n \+ 2"):
        asg.compile(asg.Graph(y=x * 2.0))(x=np.ones(1, np.float32))


def test_a_size_that_nothing_binds() -> None:
    x = asg.input("x", ("n*m",))
    with pytest.raises(FeedError, match="nothing binds m, n"):
        asg.compile(asg.Graph(y=x * 2.0))(x=np.ones(6, np.float32))


def test_an_assumed_equality_that_does_not_hold() -> None:
    left, right = asg.input("left", ("n",)), asg.input("right", ("m",))
    run = asg.compile(asg.Graph(y=left + right))
    np.testing.assert_array_equal(run(left=Y, right=Y)["y"], 2 * Y)
    with pytest.raises(FeedError) as caught:
        run(left=Y, right=Y[:3])
    told = str(caught.value).splitlines()[1]
    assert told.endswith("n == m was assumed, but they are 4 and 3")
    assert re.match(r"  add at \S*test_bad_input.py:\d+: cannot broadcast", told)


def test_after_a_refusal_the_program_still_runs() -> None:
    run = program()
    with pytest.raises(FeedError):
        run(**feeds(targets=np.ones(5, np.float32)))
    assert run(**feeds())["loss"] == 6.0
    small = {"images": X[:2], "targets": Y[:2], "labels": I[:2]}
    assert run(**small)["loss"] == 2.0


# -- quick looks and states -----------------------------------------------------------------------


def test_run_refuses_to_feed_a_computed_tensor() -> None:
    x = asg.input("x", (3,))
    y = x * 2.0
    with pytest.raises(FeedError, match="is computed; only inputs and variables"):
        asg.run(y.sum(), {y: np.ones(3, np.float32)})


def test_run_without_a_needed_input() -> None:
    x = asg.input("x", (3,))
    with pytest.raises(FeedError, match=r"'x': f32\[3\] is missing"):
        asg.run(x * 2.0)


def test_an_unknown_backend_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"no backend named 'cuda'.*numpy, jax"):
        asg.compile(asg.Graph(y=asg.input("x", ())), backend="cuda")


def counter() -> asg.Graph:
    weight = asg.Variable("weight", (3,), 0.0)
    with asg.StateTrace(training=True) as trace:
        x = asg.input("x", (3,))
        weight.write(weight.read() + x)
        return trace.close({"total": weight.read().sum()})


def test_a_graph_with_state_must_be_started() -> None:
    with pytest.raises(StateError, match="start"):
        asg.compile(counter())(x=np.ones(3, np.float32))


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"weight": np.zeros(4, np.float32)}, r"'weight' is f32\[3\], given float32\[4\]"),
        ({"weight": np.zeros(3)}, "'weight' has dtype float64"),
        ({"weigth": np.zeros(3, np.float32)}, "'weigth' is not a variable"),
    ],
)
def test_a_wrong_start_state(state: dict[str, Any], text: str) -> None:
    with pytest.raises(FeedError, match=text):
        asg.compile(counter()).start(state=state)


def test_a_wrong_state_replaces_nothing() -> None:
    session = asg.compile(counter()).start()
    session(x=np.ones(3, np.float32))
    with pytest.raises(FeedError, match="missing"):
        session.load_state_dict({})
    with pytest.raises(FeedError):
        session.load_state_dict({"weight": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(session.state_dict()["weight"], np.ones(3, np.float32))


def test_a_wrong_batch_leaves_the_state_alone() -> None:
    session = asg.compile(counter()).start()
    with pytest.raises(FeedError):
        session(x=np.ones(2, np.float32))
    np.testing.assert_array_equal(session.state_dict()["weight"], np.zeros(3, np.float32))


@pytest.mark.parametrize("seed", [1.5, "1", True, 2**64])
def test_a_seed_is_an_integer_of_64_bits(seed: Any) -> None:
    with pytest.raises(OperandError, match="seed"):
        asg.compile(counter()).start(seed=seed)


def test_a_name_used_twice_is_found_before_anything_runs() -> None:
    twice = asg.input("x", (3,)) + asg.input("x", (3,))
    with pytest.raises(GraphError, match="two inputs are named 'x'"):
        asg.run(twice, {"x": np.ones(3, np.float32)})
