"""Model: a network with its loss, optimizer and metrics, to be fitted, evaluated and used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asg.compiler import Session, compile
from asg.compiler.loader import require_backend_name
from asg.core.dim import symbol
from asg.core.dtype import as_dtype
from asg.core.errors import FeedError, OperandError, ShapeError
from asg.core.graph import Graph
from asg.core.state_slot import OWN_ROLES
from asg.core.types import TensorType
from asg.data import DataLoader, Dataset
from asg.io import save_arrays
from asg.io.arrays import PathLike, load_arrays
from asg.nn.state_dict import stored_variables
from asg.train.batches import arrays_of, as_dataset, as_loader, first_batch, named
from asg.train.callback import Callback, require_callbacks
from asg.train.callbacks.checkpoint import restore
from asg.train.choices import chosen_loss, chosen_metrics, chosen_optimizer
from asg.train.history import History
from asg.train.inference import EVALUATION_BATCH, predicted, write_inference
from asg.train.loop import Fit
from asg.train.objective import Objective, epoch_results

Array = np.ndarray[Any, Any]


class Model:
    """A network, what is wanted of it, and how it learns.

    The graphs are built when the first data shows its types: the number of examples stays symbolic,
    all other sizes are literal (unless ``inputs`` says otherwise).

    Attributes:
        net: the module.
        objective: loss and metrics as graph.
        optimizer: see `asg.optim`.
        backend: the name of what runs the graphs.
        seed: of the first values, of dropout, and of the order of the examples.
        inputs: types of the arrays of a batch by name, the target last; empty before any data.
        history: of the last `fit`.

    Raises:
        UnknownName: a loss, optimizer, metric or backend of an unknown name.

    >>> import numpy as np
    >>> import asg
    >>> from asg import nn, optim
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32).reshape(64, 1)
    >>> model = asg.Model(nn.Linear(1, 1), loss="mse", optimizer=optim.sgd(0.3), metrics=["mae"])
    >>> history = model.fit((x, 2.0 * x + 1.0), epochs=40, batch_size=16)
    >>> model.evaluate((x, 2.0 * x + 1.0))["mae"] < 1e-3
    True
    >>> model.predict(x[:1]).shape
    (1, 1)
    """

    def __init__(
        self,
        net: Any,
        loss: Any,
        optimizer: Any = "adam",
        metrics: Sequence[Any] | Mapping[str, Any] = (),
        backend: str = "numpy",
        seed: int = 0,
        inputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the parts together; nothing is built yet.

        Args:
            net: a module; called with all arrays of a batch but the last.
            loss: a name ("cross_entropy", "mse", ...) or a function of (prediction, target).
            optimizer: a name ("adam", "sgd", ...) or one of `asg.optim`.
            metrics: names, streaming metrics of `asg.metrics`, or functions of (prediction,
                target); a mapping gives them names.
            backend: see `asg.compile`.
            seed: the same seed gives the same training.
            inputs: shapes, (shape, dtype) pairs or types of the arrays of a batch by name, when
                more than the number of examples is symbolic.
        """
        if not callable(getattr(net, "parameters", None)):
            raise OperandError(f"net is {net!r}; give a module, which knows its parameters")
        require_backend_name(backend)
        self.net, self.backend, self.seed = net, backend, seed
        self.objective = Objective(net, chosen_loss(loss), chosen_metrics(metrics))
        self.optimizer = chosen_optimizer(optimizer)
        self.inputs: dict[str, TensorType] = {
            name: _as_type(given) for name, given in (inputs or {}).items()
        }
        self.history = History()
        self._sessions: dict[str, Session] = {}
        self._guarded = False

    # -- training ----------------------------------------------------------------------------------

    def fit(
        self,
        data: Any,
        epochs: int = 1,
        batch_size: int = 32,
        *,
        validation_data: Any = None,
        validation_split: float = 0.0,
        callbacks: Sequence[Callback] = (),
        shuffle: bool = True,
        resume: PathLike | None = None,
    ) -> History:
        """Train.

        Args:
            data: a `Dataset`, arrays as tuple or mapping (the target last), a `DataLoader`, or an
                iterable of batches with a length.
            epochs: how often every example is seen.
            batch_size: examples per step, when ``data`` is no loader.
            validation_data: evaluated after every epoch; results are called ``val_...``.
            validation_split: share of the examples that is kept for that instead.
            callbacks: what else happens; see `asg.train.callbacks`.
            shuffle: another order of the examples in every epoch, when ``data`` is no loader.
            resume: a checkpoint of `SaveCheckpoints`, or their folder, to go on from: everything
                else is given as in the interrupted call, ``epochs`` may be more.

        A second call goes on with the parameters and the optimizer's state where the first ended.

        Returns:
            The results of the epochs: means over the examples while they were trained on, and
            of the validation data.

        Raises:
            OperandError: data that cannot be trained on, or an argument out of range.
            FeedError, ShapeError: data that does not fit the network; names what.
            Diverged: the loss is no finite number any more (`UnfitData`: the examples have values
                that are none, or labels of classes that there are not).
            FileError: there is no checkpoint to resume from, or it is damaged, or of another step.
        """
        _require_epochs(epochs)
        data, validation_data = self._with_validation(data, validation_data, validation_split)
        loader = as_loader(data, batch_size, shuffle, self.seed, self.objective.dtype)
        self._learn_types(first_batch(loader))
        fit = Fit(self, loader, validation_data, epochs, require_callbacks(callbacks))
        self._guard(any(callback.guards for callback in callbacks))
        if resume is not None:
            restore(fit, resume)
        self.history = fit.history
        return fit.run()

    def _with_validation(self, data: Any, validation: Any, share: float) -> tuple[Any, Any]:
        if not share:
            return data, validation
        if validation is not None:
            raise OperandError("give validation_data or validation_split, not both")
        if isinstance(data, DataLoader):
            raise OperandError("validation_split divides data sets; divide before the loader")
        if not 0.0 < share < 1.0:
            raise OperandError(f"validation_split={share!r} is not between 0 and 1")
        whole = as_dataset(data, self.objective.dtype)
        training, held_out = whole.split(1.0 - share, self.seed)
        return training, held_out

    def train_on_batch(self, *arrays: Any, **named_arrays: Any) -> dict[str, float]:
        """One training step on these arrays, the target last; its loss, waited for.

        Args:
            arrays: those of one batch; or a batch as a loader gives it, a tuple or mapping of them.
            named_arrays: the same by name.
        """
        batch = self._batch(arrays, named_arrays)
        self._learn_types(batch)
        results = self.training(*arrays_of(batch, tuple(self.inputs), self.objective.dtype))
        return {"loss": float(results["loss"])}

    def gradients(self, *arrays: Any, **named_arrays: Any) -> dict[str, Array]:
        """The gradient of these arrays' loss by every trainable parameter; nothing is changed.

        Args:
            arrays: one batch as for `train_on_batch`; layers behave as in training, and dropout
                draws what the next step would.
            named_arrays: the same by name.
        """
        batch = self._batch(arrays, named_arrays)
        self._learn_types(batch)
        session, names = self.session("gradients"), tuple(self.inputs)
        results = session(*arrays_of(batch, names, self.objective.dtype))
        return {name: np.array(value) for name, value in results.items()}

    @staticmethod
    def _batch(arrays: Sequence[Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
        if bool(arrays) == bool(given):
            raise OperandError("give the arrays of the batch by position, or all by name")
        if len(arrays) == 1 and isinstance(arrays[0], Mapping):
            return dict(arrays[0])
        if len(arrays) == 1 and isinstance(arrays[0], tuple):
            return named(arrays[0])
        return named(arrays) if arrays else given

    # -- using -------------------------------------------------------------------------------------

    def evaluate(self, data: Any, batch_size: int = EVALUATION_BATCH) -> dict[str, float]:
        """Loss and metrics over all of ``data``, in evaluation mode.

        Args:
            data: as in `fit`.
            batch_size: examples at once, when ``data`` is no loader; it does not change the result
                (but for rounding).

        Raises:
            OperandError: the data has no example.
        """
        dtype = self.objective.dtype
        loader = as_loader(data, batch_size, False, self.seed, dtype)
        self._learn_types(first_batch(loader))
        session, names = self.session("evaluation"), tuple(self.inputs)
        session.reset()
        results: Mapping[str, Any] = {}
        for batch in loader:
            results = session(*arrays_of(batch, names, dtype))
        if not results:
            raise OperandError("there is no example to evaluate")
        return epoch_results(results)

    def predict(self, *arrays: Any, batch_size: int = EVALUATION_BATCH) -> Any:
        """The network's results for all examples, in evaluation mode, in its structure.

        Args:
            arrays: one per argument of the network; or a `Dataset`, whose last array, when it is
                the target, is left out.
            batch_size: examples at once.
        """
        inputs = self._prediction_inputs(arrays)
        session = self._sessions["prediction"]
        return predicted(session, inputs, self.objective.prediction, batch_size)

    def predict_into(self, x: Any, out: Array) -> None:
        """`predict` for a network of one input and one result, written into ``out``.

        Raises:
            ShapeError: ``out`` has another shape or dtype than the result.
        """
        inputs = self._prediction_inputs((x,))
        results = self._sessions["prediction"](*inputs)
        if list(results) != ["prediction0"]:
            raise ShapeError(f"the network has {len(results)} results; predict_into takes one")
        value = np.asarray(results["prediction0"])
        if out.shape != value.shape or out.dtype != value.dtype:
            raise ShapeError(
                f"out is {out.dtype}{list(out.shape)}, the result {value.dtype}{list(value.shape)}"
            )
        np.copyto(out, value)

    def _prediction_inputs(self, arrays: Sequence[Any]) -> list[Array]:
        if len(arrays) == 1 and isinstance(arrays[0], Dataset | Mapping):
            held = arrays[0].arrays if isinstance(arrays[0], Dataset) else arrays[0]
            count = len(self.inputs) - 1 if self.inputs else len(held)
            arrays = list(held.values())[:count]
        names = list(self.inputs)[:-1] or [f"x{i}" for i in range(len(arrays))]
        given = arrays_of(dict(zip(names, arrays, strict=False)), names[: len(arrays)],
                          self.objective.dtype)  # fmt: skip
        if len(given) != len(names):
            raise FeedError(f"{len(given)} arrays given, the network takes {', '.join(names)}")
        if "prediction" not in self._sessions:
            types = {name: self.inputs.get(name) or _type_of(a)
                     for name, a in zip(names, given, strict=True)}  # fmt: skip
            self._open("prediction", self.objective.predicting(types))
        return given

    # -- graphs and sessions -----------------------------------------------------------------------

    @property
    def training(self) -> Session:
        """The session of the training step."""
        return self.session("training")

    def graph(self, kind: str = "training") -> Graph:
        """The graph of the training step, of "evaluation", "prediction" or "gradients"."""
        return self.session(kind).executable.graph

    def _learn_types(self, batch: Any) -> None:
        """The first data decides names, dtypes and sizes."""
        if self.inputs:
            return
        given = batch if isinstance(batch, Mapping) else named(batch)
        arrays = arrays_of(given, tuple(given), self.objective.dtype)
        if len(arrays) < 2:
            raise OperandError("a batch has at least one input and a target, in this order")
        self.inputs = {name: _type_of(array) for name, array in zip(given, arrays, strict=True)}

    def session(self, kind: str) -> Session:
        """That of the "training" step, of "evaluation" or "prediction", over the same state."""
        if kind not in self._sessions:
            if not self.inputs:
                raise OperandError(
                    "the model has seen no data, so the types of its inputs are not known; fit or "
                    "evaluate first, or pass inputs= to Model"
                )
            self._open(kind, self._graph_of(kind))
        return self._sessions[kind]

    def _guard(self, guarded: bool) -> None:
        """Training steps that change nothing when they are not finite, or ordinary ones."""
        if guarded != self._guarded:
            self._guarded = guarded
            if "training" in self._sessions:
                self._open("training", self._graph_of("training"))

    def _graph_of(self, kind: str) -> Graph:
        if kind == "training":
            return self.objective.training(self.inputs, self.optimizer, self._guarded)
        if kind == "evaluation":
            return self.objective.evaluation(self.inputs)
        if kind == "gradients":
            return self.objective.gradients(self.inputs)
        return self.objective.predicting(dict(list(self.inputs.items())[:-1]))

    def _open(self, kind: str, graph: Graph) -> None:
        """A session over the state that all sessions of the model share.

        A graph with variables that no session has yet (the optimizer's) starts a session of its own
        with the values that are there, and the others are opened again over it.
        """
        executable = compile(graph, self.backend)
        held = self.state_dict()
        wanted = {graph.input_names[slot.input]: graph.inputs[slot.input].node.op.cell.role  # type: ignore[attr-defined]
                  for slot in graph.state}  # fmt: skip
        new = {name for name, role in wanted.items() if role not in OWN_ROLES} - held.keys()
        if self._sessions and not new:
            self._sessions[kind] = next(iter(self._sessions.values())).attach(executable)
            return
        known = {name: array for name, array in held.items() if name in wanted}
        session = executable.start(self.seed, known)
        others = {name: each.executable for name, each in self._sessions.items()}
        self._sessions = {kind: session}
        for name, other in others.items():
            try:
                self._sessions[name] = session.attach(other)
            except FeedError:  # a graph that uses more of the network; opened again when asked for
                continue

    def state_dict(self) -> dict[str, Array]:
        """Copies of everything the sessions hold, by variable name: parameters, statistics, state
        of the optimizer, random keys; without the counters of metrics.
        """
        found: dict[str, Array] = {}
        for session in self._sessions.values():
            metrics = session.state_dict("metric")
            found |= {n: a for n, a in session.state_dict().items() if n not in metrics}
        return found

    # -- weights -----------------------------------------------------------------------------------

    def weights(self) -> dict[str, Array]:
        """Parameters and statistics of the network by name, as PyTorch's ``state_dict``."""
        if not self._sessions:
            found: dict[str, Array] = self.net.state_dict(seed=self.seed)
            return found
        held = self.state_dict()
        first = self.net.state_dict(seed=self.seed)
        names = {name: variable.name for name, variable in stored_variables(self.net)}
        return {name: held.get(names[name], array) for name, array in first.items()}

    def save(self, path: PathLike) -> None:
        """Write the weights as a safetensors file, by PyTorch's names."""
        save_arrays(path, self.weights(), {"format": "pt", "producer": "asg"})

    def load(self, path: PathLike, strict: bool = True) -> None:
        """Read the weights of a safetensors file; the optimizer begins anew.

        Raises:
            FileError: the file is missing or damaged.
            FeedError: names or shapes do not fit; all are listed, and nothing is changed.
        """
        self.net.load_state_dict(load_arrays(path), strict)
        self._sessions = {}

    def export_for_inference(self, path: PathLike) -> None:
        """Write a folder for `asg.train.load_for_inference`: graph and weights, no optimizer.

        Raises:
            OperandError: the types of the inputs are not known yet.
            FileError: the system refuses, or a folder of something else is there.
        """
        session = self.session("prediction")
        graph, results = session.executable.graph, self.objective.prediction
        write_inference(path, graph, results, session.state_dict())

    def summary(self) -> str:
        """The table of layers, when the types of the inputs are known; else the tree of modules."""
        if not self.inputs:
            return repr(self.net)
        text: str = self.net.summary(*list(self.inputs.values())[:-1])
        return text

    def _repr_html_(self) -> str:
        """The table of layers, in a notebook."""
        html: str = self.net._repr_html_()
        return html

    def __repr__(self) -> str:
        """``<model of Sequential on numpy: 1 parameter array>``."""
        count = sum(int(v.type.size) for v in self.net.parameters().values())
        return f"<model of {type(self.net).__name__} on {self.backend}: {count:,} parameters>"


def _as_type(given: Any) -> TensorType:
    if isinstance(given, TensorType):
        return given
    if isinstance(given, tuple | list) and len(given) == 2 and isinstance(given[0], tuple | list):
        return TensorType.of(as_dtype(given[1]), tuple(given[0]))
    return TensorType.of(as_dtype("float32"), tuple(given))


def _type_of(array: Array) -> TensorType:
    if array.ndim == 0:
        raise OperandError("a batch has arrays with an axis of examples; a scalar has none")
    return TensorType.of(as_dtype(array.dtype), (symbol("batch"), *array.shape[1:]))


def _require_epochs(epochs: object) -> None:
    if getattr(epochs, "ndim", 0):
        raise OperandError("epochs is an array; give inputs and target as one: fit((x, y), epochs)")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 0:
        raise OperandError(f"epochs={epochs!r} must be an int of 0 or more")
