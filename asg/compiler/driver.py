"""compile(graph, backend): optimise once, then one specialised program per binding of sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.analysis.constraint import bind_dims, require_bound
from asg.compiler.backend import Backend, TunableBackend
from asg.compiler.backend import Executable as BackendExecutable
from asg.compiler.feed import FeedOrder
from asg.compiler.loader import load_backend, loaded_backends
from asg.compiler.signature import Signature
from asg.config import settings
from asg.core.collector import paused_collector
from asg.core.convert import as_tensor
from asg.core.errors import FeedError, OperandError, StateError
from asg.core.graph import Graph
from asg.core.registry import public, service
from asg.core.tensor import Tensor
from asg.core.tree import flatten, map_tree
from asg.core.verify import verify
from asg.passes.lower import lower
from asg.passes.pipeline import (
    Pipeline,
    default_pipeline,
    late_pipeline,
    lower_for,
    names_in,
    run_pipeline,
    simplify_pipeline,
    without,
)
from asg.passes.record import PassRecord
from asg.passes.specialise import specialise

if TYPE_CHECKING:
    from asg.compiler.kept import Kept
    from asg.compiler.plan import Plan
    from asg.compiler.profile import Profile
    from asg.compiler.session import Session

Array = Any
Key = tuple[tuple[int, ...], ...]
FEWEST_CACHED = 200
"""Nodes. Smaller graphs are compiled in less time than a file takes to reach the disk."""
FROM_CACHE = "read from the cache"
"""The name of the record that stands for passes which an earlier run made."""


class Executable:
    """A graph compiled for a backend; callable when it holds no state, else `start` it.

    Attributes:
        graph: the graph as given.
        signature: inputs and variables of the optimised graph, which its programs take.
        from_cache: whether compiling found the graph among those of earlier runs
            (asg/compiler/kept.py); the passes then run when ``optimized`` is first asked for.
        late_records: what the passes after the pipeline did, when sizes were last bound to
            numbers: one record named "read from the cache" where they had done it before.
        backend: what runs it.
    """

    @paused_collector()
    def __init__(
        self,
        graph: Graph,
        backend: Backend,
        pipeline: Pipeline,
        late: Pipeline,
        debug: bool,
        cached: bool = False,
        tuning: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Use `asg.compile`; ``late`` runs when sizes have become numbers.

        With ``cached`` the passes must be known by their names and those of their rules. The
        backend compiles and plans inside of ``tuning()``.
        """
        self.tuning = tuning
        self.graph = verify(graph)
        self.backend = backend
        self._pipeline, self._late = pipeline, late
        self._records: list[PassRecord] = []
        self.late_records: list[PassRecord] = []
        self._watched: Any = None
        self._optimized: Graph | None = None
        self._kept: Kept | None = None
        self._programs: dict[Key, BackendExecutable] = {}
        if debug:
            self._optimized = self._debugged()
        elif cached and len(graph.nodes) >= FEWEST_CACHED:
            from asg.compiler.kept import kept_of  # not needed by `import asg`

            self._kept = kept_of(graph, backend, pipeline, late)
        found = None if self._kept is None else self._kept.signature()
        self.from_cache = found is not None
        self.signature = Signature.of(self.optimized) if found is None else found
        if self._kept is not None and found is None:
            self._kept.keep_signature(self.signature)
        self._in_order = FeedOrder(graph.feeds)
        places = {name: position for position, name in enumerate(graph.output_names)}
        self.result_positions = [(name, places[name]) for name in graph.results]

    @property
    def optimized(self) -> Graph:
        """The graph after the pipeline, still symbolic."""
        if self._optimized is None:
            records: list[PassRecord] = []
            optimized = run_pipeline(self._pipeline, self.graph, records.append)
            verify(optimized, stage="the pipeline")
            self._records, self._optimized = records, optimized
        return self._optimized

    @property
    def records(self) -> list[PassRecord]:
        """What every pass of the pipeline did."""
        if self._optimized is None:
            _ = self.optimized  # runs them
        return self._records

    def _debugged(self) -> Graph:
        from asg.compiler.debug import check_on_generated, run_watched

        self._watched = run_watched(self._pipeline, self.graph, self._records.append)
        optimized: Graph = self._watched[-1].after if self._watched else self.graph
        check_on_generated(self._watched)
        return verify(optimized, stage="the pipeline")

    def __call__(self, *args: Any, **feeds: Any) -> dict[str, Array]:
        """Results by name, for arrays given by position or by input name.

        Raises:
            FeedError: an array is missing, unexpected, or does not fit.
            StateError: the graph holds variables; call ``start`` first.
        """
        self._require_no_state("call the session")
        arrays = self.ordered_feeds(args, feeds)
        key = tuple([array.shape for array in arrays])
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = self.build(key)
        outputs = program(arrays)
        return {name: outputs[position] for name, position in self.result_positions}

    def _require_no_state(self, then: str) -> None:
        if self.graph.state:
            raise StateError(
                f"graph {self.graph.name!r} holds variables; "
                f"session = executable.start(seed=0), then {then}"
            )

    def __repr__(self) -> str:
        """``<executable of 'train_step' on numpy: x, y -> loss>``."""
        graph = self.graph
        return (
            f"<executable of {graph.name!r} on {self.backend.name}: "
            f"{', '.join(graph.feeds)} -> {', '.join(graph.results)}>"
        )

    def ordered_feeds(self, args: Sequence[Any], feeds: Mapping[str, Any]) -> list[Array]:
        """The arrays of one call in the order of ``graph.feeds``, dtypes checked."""
        return self._in_order(args, feeds)

    @paused_collector()
    def build(self, shapes: Sequence[tuple[int, ...]]) -> BackendExecutable:
        """Bind the sizes, check every recorded claim, specialise and compile."""
        if self._watched is None:
            binding = self._binding(shapes)
            known = self._specialised(binding)
            with self.tuning():
                if self._kept is None:
                    return self.backend.compile(known)
                return self._kept.compiled(binding, known)
        from asg.compiler.debug import DebuggedProgram, run_watched

        binding = self._binding(shapes)
        require_bound(self.optimized, binding)
        self.late_records.clear()
        known = specialise(self.optimized, binding)
        late = run_watched(self._late, known, self.late_records.append)
        with self.tuning():
            program = self.backend.compile(late[-1].after)
        return DebuggedProgram(program, known.input_names, self._watched, late, binding)

    def specialised(self, shapes: Sequence[tuple[int, ...]]) -> Graph:
        """The optimised graph for feeds of these shapes: what the backend compiles."""
        return self._specialised(self._binding(shapes))

    def _specialised(self, binding: Mapping[str, int]) -> Graph:
        self.late_records.clear()
        found = self._read(binding)
        if found is not None:
            return found
        made = self._with_numbers(binding, self.late_records.append)
        if self._kept is not None:
            self._kept.keep_program_graph(binding, made)
        return made

    def with_sizes(
        self,
        shapes: Sequence[tuple[int, ...]],
        after_each: Callable[[PassRecord], object] | None = None,
    ) -> Graph:
        """`specialised` without a trace in ``late_records``; ``after_each`` sees the records."""
        return self._with_numbers(self._binding(shapes), after_each)

    def _with_numbers(
        self, binding: Mapping[str, int], after_each: Callable[[PassRecord], object] | None
    ) -> Graph:
        require_bound(self.optimized, binding)
        return run_pipeline(self._late, specialise(self.optimized, binding), after_each)

    def _read(self, binding: Mapping[str, int]) -> Graph | None:
        """From the cache, which tells so in ``late_records``."""
        start = perf_counter()
        found = None if self._kept is None else self._kept.program_graph(binding)
        if found is not None:
            seconds = perf_counter() - start
            self.late_records.append(PassRecord(FROM_CACHE, self.graph, found, seconds))
        return found

    def _binding(self, shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
        feeds = self.graph.feeds
        types = [tensor.type for tensor in feeds.values()]
        return bind_dims(list(feeds), types, shapes, self.graph.checks)

    def plan(self, **sizes: int) -> Plan:
        """How it would run with these numbers for its symbolic sizes: memory, FLOPs, bytes moved.

        On NumPy exact, and nothing is allocated; on JAX the graph is compiled, and XLA's own
        analysis is shown. Print the plan for a table.

        Raises:
            OperandError: a size is unknown, or has no number; or the backend tells no plan.

        >>> import asg
        >>> x = asg.input("x", ("n", 16))
        >>> plan = asg.compile(asg.Graph(y=asg.sum(x @ asg.transpose(x)))).plan(n=8)
        >>> plan.flops, plan.memory.arena_bytes
        (2112, 768)
        """
        from asg.compiler.plan import make_plan  # not needed by `import asg`

        return make_plan(self, sizes)

    def profile(self, steps: int = 20, /, *args: Any, **feeds: Any) -> Profile:
        """Time a graph without variables node by node, and as a whole.

        Args:
            steps: how many are timed.
            args: arrays by position, as of a call.
            feeds: arrays by name.

        Raises:
            FeedError: an array is missing, unexpected, or does not fit.
            StateError: the graph holds variables; `Session.profile` times those.
            OperandError: ``steps`` is no positive number, or the backend cannot time nodes.

        >>> import asg
        >>> x = asg.input("x", (64, 64))
        >>> profile = asg.compile(asg.Graph(y=x @ asg.exp(x))).profile(3, np.ones((64, 64), "f4"))
        >>> [each.node.op.name for each in profile.ops], len(profile.steps)
        (['exp', 'matmul'], 3)
        """
        self._require_no_state("profile its session")
        arrays = self.ordered_feeds(args, feeds)
        program = self.build(tuple(array.shape for array in arrays))
        from asg.compiler.profile import measure  # not needed by `import asg`

        return measure(program, arrays, steps, self.signature, self.backend.name)

    def export(self, path: str | PathLike[str] | None = None, /, **sizes: int) -> Any:
        """The program as StableHLO, for JAX without asg's graph; only of the backend jax.

        Args:
            path: the file to write; None writes none.
            sizes: numbers for symbolic sizes. The others stay open, where JAX can do that: not in
                loops with sizes of their own, nor for sizes that may be 0.

        Returns:
            What `asg.backends.jax_xla.export.load_exported` makes of the file: call it with arrays
            by name. It holds no values: variables are taken and given back.

        Raises:
            OperandError: another backend; a size is unknown; or JAX cannot leave a size open.
            FileError: the system refuses.
        """
        from asg.compiler.export import export  # not needed by `import asg`

        return export(self, path, sizes)

    def start(self, seed: int = 0, state: Mapping[str, Array] | None = None) -> Session:
        """A session that holds the state arrays between calls.

        Args:
            seed: of every initialiser; the same seed gives the same values on every backend.
            state: arrays by variable name that replace initial values.
        """
        session: Session = service("start_session")(self, seed, state or {})
        return session


@public
def compile(
    graph: Graph,
    backend: str | Backend = "numpy",
    pipeline: Pipeline | None = None,
    debug: bool | None = None,
    tune: bool = False,
) -> Executable:
    """Compile a graph.

    Args:
        graph: symbolic sizes are bound at each call, one program per binding, kept.
        backend: "numpy", "jax", the name of an installed plug-in, or a Backend.
        pipeline: passes instead of the default ones, including those that run again when sizes
            are known. One of them must lower the graph for the backend.
        debug: check every pass by value, on made-up inputs now and on those of each call; slow.
            By default what `asg.configure(debug=...)` says, at first False.
        tune: on NumPy, measure for every shape which way to convolve is the fastest, when sizes
            become numbers and the program is made; else a model of costs decides. Answers are kept
            on disk for this machine (`asg.configure(compile_cache=...)`), and `Executable.plan`
            tells them. Results may differ in their last digits.

    Raises:
        OperandError: something else than a graph; or the backend has nothing to tune: XLA does
            that by itself.
        GraphError: the graph is not well formed.
        UnsupportedOp: the backend lacks a primitive.
        PassError: with ``debug``, here or from a call: a pass changed a value.

    >>> import asg
    >>> x = asg.input("x", ("n",))
    >>> double = asg.compile(asg.Graph(y=x * 2.0))
    >>> double(x=[1.0, 2.0])["y"].tolist()
    [2.0, 4.0]
    """
    if not isinstance(graph, Graph):
        raise OperandError(
            f"compile needs a graph, got {type(graph).__name__}; make one: asg.Graph(y=tensor), or "
            "call what asg.train_step(model, ...) returned with the types of the batch"
        )
    target = load_backend(backend)
    checked = settings.debug if debug is None else debug
    tuning = _tuning_of(target) if tune else nullcontext
    if pipeline is not None:
        late = (lower_for(target),)
        return Executable(graph, target, pipeline, late, checked, tuning=tuning)
    return Executable(graph, target, *default_passes(target), checked, cached=True, tuning=tuning)


def _tuning_of(target: Backend) -> Callable[[], AbstractContextManager[object]]:
    if isinstance(target, TunableBackend):
        return target.tuning
    raise OperandError(
        f"tune=True: backend {target.name!r} leaves no choice of kernels to asg; leave it out"
    )


def default_passes(target: Backend) -> tuple[Pipeline, Pipeline]:
    """The passes on the symbolic graph, and those that run when sizes have become numbers.

    Less those that `asg.configure(without=...)` names. They may be passes of another backend that
    is loaded: NumPy computes the first values of a session on JAX.

    Raises:
        UnknownName: nothing has a name given there.
    """
    first = default_pipeline(target, evaluate)
    late = (lower_for(target), *late_pipeline(evaluate), *target.passes)
    if not settings.without:
        return first, late
    others = [step for backend in loaded_backends() for step in backend.passes]
    without((*first, *late, *others), *settings.without)  # refuses names that are nowhere
    return _less(first), _less(late)


def _less(pipeline: Pipeline) -> Pipeline:
    known = set(names_in(pipeline))
    return without(pipeline, *(name for name in settings.without if name in known))


def evaluate(graph: Graph) -> list[np.ndarray[Any, Any]]:
    """The outputs of a graph without inputs, by the NumPy executor: how constants are folded."""
    target = load_backend("numpy")
    program = target.compile(lower(graph, target))
    return [np.asarray(array) for array in program([])]


@public
def with_sizes(graph: Graph, binding: Mapping[str, int], backend: str) -> Graph:
    """A lowered graph with these numbers for its sizes, ready for a backend.

    For kernels of ops whose bodies have sizes of their own.
    """
    target = load_backend(backend)
    return run_pipeline(default_passes(target)[1], specialise(graph, binding))


@public
def optimize(graph: Graph, backend: str | Backend | None = None) -> Graph:
    """The graph after the default passes; lowered for ``backend`` when one is given."""
    if backend is None:
        return run_pipeline(simplify_pipeline(evaluate), graph)
    target = load_backend(backend)
    return run_pipeline(default_pipeline(target, evaluate), graph)


@public
def run(outputs: Any, feeds: Mapping[Any, Any] | None = None, *, backend: str = "numpy") -> Any:
    """Compute tensors for a quick look; the structure of ``outputs`` is kept.

    Args:
        outputs: a tensor, or nested dicts, lists and tuples of tensors.
        feeds: arrays by input tensor, variable or name; Python numbers and lists are converted.
        backend: see `compile`.

    Raises:
        FeedError: a needed value is missing or does not fit.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> asg.run({"s": x.sum(), "m": x.max()}, {x: [3.0, 4.0]})["s"].item()
    7.0
    """
    flat = {name or "value": as_tensor(leaf) for name, leaf in flatten(outputs).items()}
    feeds = feeds or {}
    graph = _without_state(Graph(flat, name="run"), _fed_leaves(feeds))
    results = compile(graph, backend)(**_by_name(graph, feeds))
    values = iter([results[name] for name in flat])
    return map_tree(lambda _: next(values), outputs)


def _fed_leaves(feeds: Mapping[Any, Any]) -> list[Tensor]:
    leaves = [as_tensor(key) for key in feeds if not isinstance(key, str)]
    for tensor in leaves:
        if not tensor.node.op.is_placeholder:
            raise FeedError(f"{tensor!r} is computed; only inputs and variables can be fed")
    return leaves


def _without_state(graph: Graph, fed: Sequence[Tensor]) -> Graph:
    """States become ordinary inputs, so that a quick look can feed them.

    So does everything else that is fed: a gradient may depend on no value of an input, and yet
    have its sizes from there.
    """
    inputs = tuple(dict.fromkeys([*graph.inputs, *fed]))
    return Graph.of(inputs, graph.outputs, graph.output_names, (), graph.name)


def _by_name(graph: Graph, feeds: Mapping[Any, Any]) -> dict[str, Any]:
    names = dict(zip(graph.inputs, graph.input_names, strict=True))
    return {
        key if isinstance(key, str) else names[as_tensor(key)]: value
        for key, value in feeds.items()
    }
