"""A module against PyTorch's of the same arguments: names, values, derivatives, buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.tree import flatten
from asg.state.trace import active_trace

Array = np.ndarray[Any, Any]
Symbolic = bool | Sequence[Sequence[Any]]


def assert_like_pytorch(
    ours: nn.Module,
    theirs: Any,
    arrays: Sequence[Array],
    *,
    training: bool = False,
    our_call: Callable[..., Any] | None = None,
    their_call: Callable[..., Any] | None = None,
    their_names: Callable[[str], str] = lambda name: name,
    tolerance: float = 1e-8,
    backend: str = "numpy",
    symbolic_batch: Symbolic = False,
) -> None:
    """Equal state dicts, outputs, gradients of inputs and parameters, and buffers afterwards.

    Args:
        ours: made with dtype="float64".
        theirs: the `torch.nn.Module`; it is converted to float64, and its values are loaded.
        arrays: the inputs; float64 ones are differentiated.
        training: the mode of both.
        our_call: from our module and tensors to the outputs (default: the module is called);
            outputs may be nested; None among them is left out.
        their_call: the same for PyTorch, when it needs another call.
        their_names: from our name of a parameter to theirs, when they differ on purpose.
        tolerance: relative, and absolute a hundredth of it.
        backend: that runs our graph.
        symbolic_batch: axis 0 of every input with axes is symbolic; or the shape of every input,
            with symbols.
    """
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    theirs = theirs.double().train(training)
    held = {name: value.detach().numpy().copy() for name, value in theirs.state_dict().items()}
    found = ours.state_dict()
    assert {their_names(name) for name in found} == held.keys()
    for name, array in found.items():
        assert array.shape == held[their_names(name)].shape, name
        assert (array.dtype.kind == "f") == (held[their_names(name)].dtype.kind == "f"), name
    ours.load_state_dict({name: held[their_names(name)] for name in found})

    results = _run(ours, arrays, training, our_call, backend, symbolic_batch)
    wanted = _run_theirs(torch, theirs, arrays, their_call or (lambda m, *x: m(*x)), training)
    wanted = {_ours(name, their_names, found): value for name, value in wanted.items()}
    assert results.keys() == wanted.keys()
    for name, value in wanted.items():
        assert results[name].shape == value.shape, name
        np.testing.assert_allclose(
            results[name], value, rtol=tolerance, atol=tolerance * 1e-2, err_msg=name
        )


def _ours(name: str, their_names: Callable[[str], str], found: Any) -> str:
    kind, _, rest = name.partition(":")
    back = {their_names(ours): ours for ours in found}
    return f"{kind}:{back.get(rest, rest)}"


def cotangent(position: int, shape: Sequence[int]) -> Array:
    """The fixed numbers an output is multiplied by before everything is summed up."""
    return np.random.default_rng(100 + position).normal(size=tuple(shape))


def _run(
    module: nn.Module, arrays: Sequence[Array], training: bool,
    call: Callable[..., Any] | None, backend: str, symbolic: Symbolic,
) -> dict[str, Array]:  # fmt: skip
    sizes = [y.shape for y in _outputs(module, arrays, training, call, symbolic=False)[1]]
    with asg.StateTrace(training=training) as trace:
        inputs, outputs = _outputs(module, arrays, training, call, symbolic)
        floats = [i for i, y in enumerate(outputs) if y.dtype.is_float]
        weights = {i: asg.input(f"weight{i}", outputs[i].shape, "float64") for i in floats}
        loss = sum((outputs[i] * weights[i]).sum() for i in floats)
        wrt = {f"input:{i}": x for i, x in enumerate(inputs) if x.dtype.is_float}
        parameters = {n: p for n, p in module.parameters().items() if p.trainable}
        wrt |= {f"parameter:{name}": p.leaf for name, p in parameters.items()}
        gradients = asg.grad(loss, wrt) if wrt else {}
        graph = trace.close({f"output:{i}": y for i, y in enumerate(outputs)} | gradients)
    session = asg.compile(graph, backend=backend).start(0)
    feeds = {f"x{i}": array for i, array in enumerate(arrays)}
    feeds |= {f"weight{i}": cotangent(i, sizes[i]) for i in floats}
    found = session(**{name: feeds[name] for name in graph.feeds})
    state = session.state_dict()
    buffers = {
        f"buffer:{name}": state.get(variable.name, module.state_dict()[name])
        for name, variable in module.buffers().items()
    }
    return {name: np.asarray(value) for name, value in found.items()} | buffers


def _outputs(
    module: nn.Module, arrays: Sequence[Array], training: bool,
    call: Callable[..., Any] | None, symbolic: Symbolic,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Inputs and outputs of one call, in the open trace if there is one."""
    batch = [("batch", *a.shape[1:]) if symbolic and a.ndim else a.shape for a in arrays]
    shapes = batch if isinstance(symbolic, bool) else symbolic
    named = zip(shapes, arrays, strict=True)
    inputs = [asg.input(f"x{i}", shape, a.dtype.name) for i, (shape, a) in enumerate(named)]
    if symbolic or active_trace() is not None:
        return inputs, _leaves(call(module, *inputs) if call else module(*inputs))
    with asg.StateTrace(training=training):
        return inputs, _leaves(call(module, *inputs) if call else module(*inputs))


def _leaves(returned: Any) -> list[Any]:
    return [leaf for leaf in flatten({"y": returned}).values() if leaf is not None]


def _run_theirs(
    torch: Any, module: Any, arrays: Sequence[Array], call: Callable[..., Any], training: bool
) -> dict[str, Array]:
    inputs = [torch.tensor(a, requires_grad=a.dtype == np.float64) for a in arrays]
    outputs = _leaves(call(module, *inputs))
    floats = [(i, y) for i, y in enumerate(outputs) if y.dtype.is_floating_point]
    loss = sum((y * torch.tensor(cotangent(i, y.shape))).sum() for i, y in floats)
    if loss.requires_grad:
        loss.backward()
    found = {f"output:{i}": y.detach().numpy() for i, y in enumerate(outputs)}
    for i, x in enumerate(inputs):
        if x.requires_grad:
            found[f"input:{i}"] = _gradient(torch, x)
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            found[f"parameter:{name}"] = _gradient(torch, parameter)
    for name, buffer in module.named_buffers():
        if name in module.state_dict():
            found[f"buffer:{name}"] = buffer.detach().numpy()
    return found


def _gradient(torch: Any, leaf: Any) -> Array:
    value: Array = (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).detach().numpy()
    return value


def assert_steps_like_pytorch(
    ours: nn.Module, theirs: Any, batches: Sequence[Array], backend: str = "numpy"
) -> None:
    """Equal outputs and state dicts after each of several training steps, then in evaluation.

    The steps train nothing: what changes is what layers write themselves.
    """
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    theirs = theirs.double().train()
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    x = asg.input("x", [f"n{i}" for i in range(batches[0].ndim)], "float64")
    graphs = {}
    for training in (True, False):
        with asg.StateTrace(training=training) as trace:
            graphs[training] = trace.close({"y": ours(x), "held": _read(ours)})
    session = asg.compile(graphs[True], backend=backend).start(0)
    for batch in batches:
        _assert_step(session, ours, theirs, batch, torch)
    evaluation = session.attach(asg.compile(graphs[False], backend=backend))
    _assert_step(evaluation, ours, theirs.eval(), batches[0], torch)


def _read(module: nn.Module) -> Any:
    """Every variable, so that both graphs hold them all."""
    return sum(variable.read().astype("float64").sum() for variable in module.variables().values())


def _assert_step(session: Any, ours: nn.Module, theirs: Any, batch: Array, torch: Any) -> None:
    with torch.no_grad():
        wanted = theirs(torch.tensor(batch)).numpy()
    np.testing.assert_allclose(session(x=batch)["y"], wanted, rtol=1e-8, atol=1e-10)
    held = theirs.state_dict()
    for name, array in ours.state_dict(session).items():
        np.testing.assert_allclose(array, held[name].numpy(), rtol=1e-8, atol=1e-10, err_msg=name)
