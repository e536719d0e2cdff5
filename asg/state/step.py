"""Build the training and evaluation steps: forward, backward and update as one pure graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Protocol, overload

from asg.autodiff.api import grad, value_and_grad
from asg.core.collector import paused_collector
from asg.core.convert import as_tensor
from asg.core.dtype import as_dtype
from asg.core.errors import GraphError, OperandError, ShapeError, StateError
from asg.core.explain import made_by
from asg.core.graph import Graph, is_state, placeholders
from asg.core.origin import scope
from asg.core.registry import call, public
from asg.core.tensor import Tensor, TensorMethods
from asg.core.tree import flatten, map_tree
from asg.core.types import TensorType
from asg.ops.leaf import input as make_input
from asg.state.initial import replace_leaves
from asg.state.trace import StateTrace
from asg.state.variable import Variable

Tensors = dict[str, Tensor]
Metric = Callable[..., Any]


class Optimizer(Protocol):
    """A pair of pure functions on trees of tensors (as Optax).

    If it has an attribute ``evaluates`` that is true, ``update`` gets a fourth argument: see
    `evaluator`.
    """

    def init(self, parameters: Tensors) -> Any:
        """First optimizer state: nested dicts of tensors, built from the parameters."""

    def update(self, gradients: Tensors, state: Any, parameters: Tensors) -> tuple[Tensors, Any]:
        """(what is added to each parameter, next state)."""


class StepBuilder:
    """Call it with the types of the batch; it returns the step as a Graph."""

    def __init__(
        self,
        forward: Callable[[Tensors], Tensors],
        model: Any,
        update: Any,
        skip_nonfinite: bool = False,
    ) -> None:
        """Made by `train_step` and `eval_step`."""
        self._forward, self._model, self._update = forward, model, update
        self._skip_nonfinite = skip_nonfinite

    def __call__(self, **batch: Any) -> Graph:
        """The step for a batch of these types; every name is an input, used or not.

        Args:
            batch: for every input a shape (float32), a (shape, dtype) pair, a TensorType, or a
                tensor made by `asg.input`.
        """
        if not batch:
            raise OperandError("name the inputs of the step: step(images=('batch', 784), ...)")
        feeds = {name: as_input(name, spec) for name, spec in batch.items()}
        training = self._update is not None
        with paused_collector(), StateTrace(training=training) as trace:
            outputs = self._forward(feeds)
            if training:
                self._update(outputs["loss"], _trained_with(self._model, trace.touched))
            if self._skip_nonfinite:
                outputs = {**outputs, "finite": _guard(trace, outputs["loss"])}
            return trace.close(outputs, "train_step" if training else "eval_step", feeds.values())


def _guard(trace: StateTrace, loss: Tensor) -> Tensor:
    """Whether the loss and all that was written are finite; else everything stays as it was."""
    with scope("guard"):
        values = [variable.read() for variable in trace.touched]
        floats = [value for value in (loss, *values) if value.dtype.is_float]
        finite = reduce(
            lambda a, b: call("logical_and", a, b),
            [call("all", call("isfinite", value)) for value in floats],
        )
        trace.keep_unless(finite)
    return finite


def as_input(name: str, spec: Any) -> Tensor:
    """An input tensor from a shape, a (shape, dtype) pair, a TensorType or a tensor."""
    if isinstance(spec, Tensor):
        return spec
    if isinstance(spec, TensorType):
        return make_input(name, spec.shape, spec.dtype)
    if isinstance(spec, tuple | list) and len(spec) == 2 and isinstance(spec[0], tuple | list):
        return make_input(name, spec[0], as_dtype(spec[1]))
    return make_input(name, spec)


@overload
def train_step(
    model: TensorMethods,
    *,
    optimizer: Optimizer,
    loss: None = ...,
    metrics: Mapping[str, Any] | None = ...,
) -> Graph: ...
@overload
def train_step(
    model: Callable[..., Any],
    *,
    optimizer: Optimizer,
    loss: Callable[..., Any] | None = ...,
    metrics: Mapping[str, Any] | None = ...,
    skip_nonfinite: bool = ...,
) -> StepBuilder: ...
@public
def train_step(
    model: Any,
    *,
    optimizer: Optimizer,
    loss: Callable[..., Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    skip_nonfinite: bool = False,
) -> Any:
    """One training step as one pure graph: loss, gradients, update.

    Three forms:

    * ``train_step(model, loss=f, optimizer=o)``: a builder; called with the batch it computes
      ``f(model(*all inputs but the last), last input)``.
    * ``train_step(function, optimizer=o)``: a builder; ``function(**batch)`` returns the scalar
      loss, or a dict of results with a "loss".
    * ``train_step(loss_tensor, optimizer=o)``: the graph, from a loss that is already built.

    Args:
        model: a module, a function, or the scalar loss tensor.
        optimizer: see `asg.optim`.
        loss: function of (prediction, target).
        metrics: by name, functions of (prediction, target), or streaming ones of `asg.metrics`;
            with a loss tensor: tensors.
        skip_nonfinite: (for a model or function) a step whose loss or new values are not all
            finite changes nothing; the result "finite" tells. Costs a pass over what is written.

    The trainable parameters of a module are trained; without a module, those that are used. A
    metric that returns a dict or tuple gives one result for each leaf (``name.leaf``).

    Raises:
        GraphError: the step of a module uses a trainable parameter that is not the module's.
        UnreachedParameter: lists every trainable parameter the loss does not depend on.
        OperandError: no optimizer; a metric called "loss".
        StateError: a loss tensor draws random numbers with a key that it does not advance.
    """
    _require_optimizer(optimizer)
    if isinstance(model, TensorMethods):
        if skip_nonfinite:
            raise OperandError("skip_nonfinite is for models and functions, not for a loss tensor")
        return _from_loss(as_tensor(model), optimizer, loss, metrics or {})
    forward = _forward(model, loss, metrics or {})

    def update(value: Tensor, owned: Sequence[Variable]) -> None:
        apply_update(value, owned, optimizer)

    return StepBuilder(forward, model, update, skip_nonfinite)


@public
def eval_step(
    model: Callable[..., Any],
    *,
    loss: Callable[..., Any] | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> StepBuilder:
    """The same forward computation in evaluation mode, without gradients or updates.

    Arguments as `train_step`. Only the counters of streaming metrics are written.
    """
    return StepBuilder(_forward(model, loss, metrics or {}), model, None)


def _forward(
    model: Callable[..., Any], loss: Callable[..., Any] | None, metrics: Mapping[str, Metric]
) -> Callable[[Tensors], Tensors]:
    def run(feeds: Tensors) -> Tensors:
        if loss is None:
            return _results(model(**feeds), metrics)
        *inputs, target = feeds.values()
        if not inputs:
            raise OperandError("the step needs at least one input and a target, in this order")
        prediction = model(*inputs)
        with scope("loss"):
            value = as_tensor(loss(prediction, target))
        with scope("metrics"):
            found = {
                name: called(metric, name)(prediction, target) for name, metric in metrics.items()
            }
        return _with_metrics(value, found)

    return run


def called(metric: Metric, name: str) -> Metric:
    """The metric; one with variables of its own is told the name it has in the step."""
    tell = getattr(metric, "take_name", None)
    if tell is not None:
        tell(name)
    return metric


def _results(value: Any, metrics: Mapping[str, Metric]) -> Tensors:
    """What a loss function returned: a scalar, or a dict with a "loss"."""
    if metrics:
        raise OperandError("metrics need loss=...; or return them beside the loss in a dict")
    results = flatten(value) if isinstance(value, Mapping) else {"loss": value}
    if "loss" not in results:
        raise OperandError(f"the function returned {', '.join(results)}; one must be 'loss'")
    return {name: as_tensor(leaf) for name, leaf in results.items()}


def _with_metrics(value: Tensor, metrics: Mapping[str, Any]) -> Tensors:
    """The loss and every leaf of the metrics by name."""
    named = {name: as_tensor(leaf) for name, leaf in flatten(metrics).items()}
    if "loss" in named:
        raise OperandError("a metric is called 'loss', as the loss itself; rename the metric")
    return {"loss": value, **named}


def _from_loss(
    value: Tensor, optimizer: Optimizer, loss: object, metrics: Mapping[str, Any]
) -> Graph:
    if loss is not None:
        raise OperandError("loss= is for models; the first argument already is the loss tensor")
    outputs = _with_metrics(value, metrics)
    leaves = [t for t in placeholders(outputs.values()) if is_state(t)]
    cells: list[Any] = [t.node.op.cell for t in leaves]  # type: ignore[attr-defined]
    _refuse_stuck_keys(cells)
    with paused_collector(), StateTrace(training=True) as trace:
        apply_update(value, cells, optimizer)
        return trace.close(outputs, "train_step")


def _refuse_stuck_keys(cells: Sequence[Any]) -> None:
    """A loss tensor tells which keys it read, not what was written to them while it was built."""
    stuck = [cell.name for cell in cells if cell.role == "random_key"]
    if stuck:
        raise StateError(
            f"the loss draws random numbers with {', '.join(stuck)}, and every step would draw the "
            "same ones: a loss tensor does not say how its keys move on\n"
            "  repair: give train_step the model, or a function that builds the loss"
        )


def _require_optimizer(optimizer: object) -> None:
    if not callable(getattr(optimizer, "init", None)) or not callable(
        getattr(optimizer, "update", None)
    ):
        raise OperandError(
            f"optimizer={optimizer!r} has no init and update; make one: asg.optim.sgd(0.1)"
        )


def _trained_with(model: Any, used: Sequence[Variable]) -> Sequence[Variable]:
    """The parameters of a module; of a plain function, what it used.

    A foreign parameter is refused: to leave it alone, or to train it, would be a guess.
    """
    parameters = getattr(model, "parameters", None)
    if parameters is None:
        return used
    owned = list(parameters().values())
    foreign = set(used) - set(owned)
    names = [repr(v.name) for v in used if v in foreign and v.role == "parameter" and v.trainable]
    if names:
        raise GraphError(
            f"the step uses parameters that are not among the model's: {', '.join(names)}\n"
            "  repair: assign them, or the module that holds them, to an attribute of the model; "
            "or freeze them (trainable=False)"
        )
    return owned


def apply_update(loss: Tensor, variables: Sequence[Variable], optimizer: Optimizer) -> None:
    """Differentiate, update, and write parameters and optimizer state in the open trace.

    Raises:
        GraphError: nothing to train, or two variables of one name.
        ShapeError: the loss is not a scalar.
    """
    trained = [v for v in variables if v.role == "parameter" and v.trainable]
    parameters = {variable.name: variable.leaf for variable in trained}
    if not trained:
        raise GraphError("there is no trainable parameter; make some with asg.parameter or asg.nn")
    if len(parameters) != len(trained):
        names = [variable.name for variable in trained]
        doubled = sorted({name for name in names if names.count(name) > 1})
        made = [f"\n  {made_by(v.leaf)}" for v in trained if v.name in doubled]
        raise GraphError(
            f"several parameters are named {', '.join(doubled)}:{''.join(made)}\n  repair: rename "
            "them, or make the modules that hold them attributes of one module, "
            "whose names they get"
        )
    gradients = grad(loss, parameters)
    with scope("optimizer"):
        state = map_names(_variable, optimizer.init(parameters), "optimizer")
        current = map_tree(lambda variable: variable.read(), state)
        held = {variable.name: variable.read() for variable in trained}  # forward may have written
        evaluate = evaluator(loss, parameters)
        updates, following = _updated(optimizer, gradients, current, held, evaluate)
        for variable in trained:
            variable.write(variable.read() + updates[variable.name])
        _write_all(state, following)


def evaluator(loss: Tensor, parameters: Tensors) -> Callable[[Tensors], tuple[Tensor, Tensors]]:
    """``evaluate(values) -> (loss, gradients)`` at other values of some parameters.

    The loss is built again from the values; what does not depend on these parameters (the batch,
    random keys, other parameters) is shared. Writes of variables are no part of a loss, and are
    not repeated. ``evaluate({})`` is the loss itself.
    """

    def evaluate(values: Tensors) -> tuple[Tensor, Tensors]:
        for name, value in values.items():
            if value.type != parameters[name].type:
                raise ShapeError(
                    f"evaluate got {value.type} for {name!r}, which is {parameters[name].type}"
                )
        there = replace_leaves(loss, {parameters[name]: value for name, value in values.items()})
        return value_and_grad(there, values) if values else (loss, {})

    return evaluate


def _updated(
    optimizer: Optimizer, gradients: Tensors, state: Any, parameters: Tensors, evaluate: Any
) -> tuple[Tensors, Any]:
    """What ``update`` returned, when it is what an optimizer returns."""
    more = [evaluate] if getattr(optimizer, "evaluates", False) else []
    update: Callable[..., Any] = optimizer.update
    returned: Any = update(gradients, state, parameters, *more)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise OperandError(
            f"the optimizer's update returned {returned!r}; it returns (updates, state)"
        )
    wrong = sorted(returned[0].keys() ^ parameters.keys())
    if wrong:
        raise OperandError(f"the optimizer's updates miss, or make up: {', '.join(wrong)}")
    return returned[0], returned[1]


def map_names(function: Callable[[str, Any], Any], tree: Any, prefix: str) -> Any:
    """`map_tree` with the dotted name of every leaf."""
    names = iter(flatten(tree, prefix))
    return map_tree(lambda leaf: function(next(names), leaf), tree)


def _variable(name: str, value: Any) -> Variable:
    first = as_tensor(value)
    return Variable(name, first.shape, lambda key, type: first, first.dtype, role="optimizer")


def _write_all(state: Any, following: Any) -> None:
    variables, values = flatten(state), flatten(following)
    if variables.keys() != values.keys():
        raise ShapeError(
            "the optimizer's update returned a state of another structure: "
            f"{sorted(variables.keys() ^ values.keys())}"
        )
    for name, variable in variables.items():
        variable.write(values[name])
