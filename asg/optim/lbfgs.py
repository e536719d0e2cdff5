"""L-BFGS: quasi-Newton steps for full batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from asg.core.dim import Dim
from asg.core.dtype import DType, int32, promote
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.ops.leaf import iota
from asg.optim.line_search import Point, strong_wolfe
from asg.optim.transform import (
    Chain,
    Evaluate,
    State,
    Tensors,
    Transform,
    chain,
    require_choice,
    require_count,
    require_range,
)

Carry = dict[str, Any]
Evaluation = Callable[[Tensor], tuple[Tensor, Tensor]]


def lbfgs(
    lr: float = 1.0,
    max_iter: int = 20,
    max_eval: int | None = None,
    tolerance_grad: float = 1e-7,
    tolerance_change: float = 1e-9,
    history_size: int = 100,
    line_search_fn: str | None = None,
) -> Chain:
    """Up to ``max_iter`` steps along ``-H g`` within each step, as `torch.optim.LBFGS`.

    H is the inverse Hessian that the last ``history_size`` pairs ``s = t d``, ``y = g' - g`` tell
    of, by the two-loop recursion from ``(s . y / y . y) I``; a pair counts if ``s . y > 1e-10``.
    The whole is a loop in the graph, which evaluates the loss and its gradient on the same batch.
    The history goes on from step to step: give every step the same, full batch. Liu and Nocedal,
    1989, https://doi.org/10.1007/BF01589116.

    Args:
        lr: length of a step in units of ``-H g``, or where the line search begins.
        max_iter: most steps of the inner loop.
        max_eval: evaluations after which it ends; ``max_iter * 5 // 4`` by default.
        tolerance_grad: it ends when no element of the gradient is larger.
        tolerance_change: it ends when no parameter, or not the loss, changes by more.
        history_size: pairs that are kept.
        line_search_fn: "strong_wolfe", or None for steps of ``lr`` (the very first of
            ``lr * min(1, 1 / sum |g|)``).

    The state is ``optimizer.lbfgs.*``: y_history, s_history and ro (``1 / s . y``), with the latest
    pair last, pairs (how many there are), scale (``s . y / y . y``), direction and t, gradient and
    loss before the last inner step, iterations and evaluations.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=[-1.2, 1.0], dtype="float64")
    >>> x, y = w[0], w[1]
    >>> rosenbrock = (1.0 - x) ** 2.0 + 100.0 * (y - x**2.0) ** 2.0
    >>> step = asg.train_step(rosenbrock, optimizer=lbfgs(line_search_fn="strong_wolfe"))
    >>> session = asg.compile(step).start()
    >>> for _ in range(3):
    ...     _ = session()
    >>> session.state_dict()["w"].round(3).tolist()
    [1.0, 1.0]
    """
    require_range("lr", lr, 0.0)
    require_count("max_iter", max_iter)
    require_count("history_size", history_size)
    require_range("tolerance_grad", tolerance_grad, 0.0)
    require_range("tolerance_change", tolerance_change, 0.0)
    require_choice("line_search_fn", line_search_fn, (None, "strong_wolfe"))
    most = max_iter * 5 // 4 if max_eval is None else max_eval
    require_count("max_eval", most)
    if lr == 0.0 and line_search_fn is not None:
        raise OperandError("lr=0 is out of range; a line search begins above 0")
    rule = _Rule(lr, max_iter, most, tolerance_grad, tolerance_change, history_size,
                 searches=line_search_fn is not None)  # fmt: skip
    return chain(Transform("lbfgs", rule.init, rule.update, evaluates=True, first=True))


@dataclass(frozen=True)
class _Rule:
    """The settings, and the loop they control."""

    lr: float
    max_iter: int
    max_eval: int
    tolerance_grad: float
    tolerance_change: float
    history_size: int
    searches: bool

    def init(self, parameters: Tensors) -> State:
        dtype = _common_dtype(parameters)
        size = sum(p.size for p in parameters.values())

        def full(*shape: Any, value: float = 0.0) -> Tensor:
            return call("full", shape, value, dtype)

        count = call("full", (), 0, int32)
        return {
            "y_history": full(self.history_size, size), "s_history": full(self.history_size, size),
            "ro": full(self.history_size), "pairs": count, "scale": full(value=1.0),
            "direction": full(size), "t": full(), "gradient": full(size), "loss": full(),
            "iterations": count, "evaluations": count,
        }  # fmt: skip

    def update(
        self, gradients: Tensors, state: State, parameters: Tensors, evaluate: Evaluate
    ) -> tuple[Tensors, State]:
        dtype = _common_dtype(parameters)

        def at(x: Tensor) -> tuple[Tensor, Tensor]:
            loss, slopes = evaluate(_split(x, parameters))
            return loss.astype(dtype), _join(slopes, dtype)

        x, g = _join(parameters, dtype), _join(gradients, dtype)
        one = call("full", (), 1, int32)
        start = {
            "x": x, "f": evaluate({})[0].astype(dtype), "g": g, "evaluations": one,
            "steps": one - 1, "goes_on": _largest(g) > self.tolerance_grad,
            "memory": {**state, "evaluations": state["evaluations"] + 1},
        }  # fmt: skip
        end: Any = call(
            "while_loop", lambda carry: carry["goes_on"], lambda c: self._iterate(c, at), start
        )
        return _split(end["x"] - x, parameters), end["memory"]

    def _iterate(self, carry: Carry, at: Evaluation) -> Carry:
        """One inner step: remember, turn, move, and see whether to go on."""
        x, f, g = carry["x"], carry["f"], carry["g"]
        memory = _remember(carry["memory"], g)
        d = -_inverse_hessian(memory, g)
        is_first = call("equal", memory["iterations"], 0)
        t = call("where", is_first, call("minimum", 1.0 / call("abs", g).sum(), 1.0), 1.0) * self.lr
        here = {"t": 0.0 * t, "f": f, "g": g, "slope": call("matmul", g, d)}
        is_flat = here["slope"] > -self.tolerance_change
        steps, evaluations = carry["steps"] + 1, carry["evaluations"]
        none = call("full", (), 0, int32)
        moved: Any = call(
            "cond", is_flat, lambda: ({**here, "t": t}, none),
            lambda: self._move(at, carry, here, t, d),
        )  # fmt: skip
        point, more = moved
        evaluations = evaluations + more
        ends = (
            is_flat | (steps >= self.max_iter) | (evaluations >= self.max_eval)
            | (_largest(point["g"]) <= self.tolerance_grad)
            | (_largest(point["t"] * d) <= self.tolerance_change)
            | (call("abs", point["f"] - f) < self.tolerance_change)
        )  # fmt: skip
        following = {
            **memory, "direction": d, "t": point["t"], "gradient": g, "loss": f,
            "iterations": memory["iterations"] + 1, "evaluations": memory["evaluations"] + more,
        }  # fmt: skip
        return {
            "x": call("where", is_flat, x, x + point["t"] * d), "f": point["f"], "g": point["g"],
            "evaluations": evaluations, "steps": steps, "goes_on": ~ends, "memory": following,
        }  # fmt: skip

    def _move(
        self, at: Evaluation, carry: Carry, here: Point, t: Tensor, d: Tensor
    ) -> tuple[Point, Tensor]:
        """The point to go to, and the evaluations it took."""
        x = carry["x"]
        if self.searches:
            limit = self.max_eval - carry["evaluations"]
            return strong_wolfe(lambda t: at(x + t * d), t, d, here, self.tolerance_change, limit)
        goes_on = carry["steps"] + 1 < self.max_iter  # nobody would look at the last one
        f_g: Any = call("cond", goes_on, lambda: at(x + t * d), lambda: (here["f"], here["g"]))
        return {**here, "t": t, "f": f_g[0], "g": f_g[1]}, call("astype", goes_on, int32)


def _remember(memory: State, g: Tensor) -> State:
    """The history with the pair of the last inner step, where its curvature is positive."""
    y, s = g - memory["gradient"], memory["t"] * memory["direction"]
    curvature, square = call("matmul", y, s), call("matmul", y, y)
    counts = curvature > 1e-10

    def pushed(history: Tensor, latest: Tensor) -> Tensor:
        both = call("concat", [history[1:], call("expand_dims", latest, 0)])
        return call("where", counts, both, history)

    safe = call("where", counts, curvature, 1.0)
    pairs = call("minimum", memory["pairs"] + 1, memory["ro"].shape[0])
    return {
        **memory,
        "y_history": pushed(memory["y_history"], y),
        "s_history": pushed(memory["s_history"], s),
        "ro": pushed(memory["ro"], 1.0 / safe),
        "pairs": call("where", counts, pairs, memory["pairs"]),
        "scale": call("where", counts, safe / call("where", counts, square, 1.0), memory["scale"]),
    }


def _inverse_hessian(memory: State, g: Tensor) -> Tensor:
    """``H g`` by the two-loop recursion; Nocedal and Wright, 2006, algorithm 7.4."""
    y, s, ro, pairs = (memory[key] for key in ("y_history", "s_history", "ro", "pairs"))
    size = ro.shape[0]

    def back(number: Tensor, carry: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        q, shares = carry
        place = size - 1 - number
        share = call("matmul", s[place], q) * ro[place]
        here = call("equal", iota((size,)), place)
        return q - share * y[place], call("where", here, share, shares)

    def forth(place: Tensor, r: Tensor) -> Tensor:
        share = call("matmul", y[place], r) * ro[place]
        following: Tensor = r + (shares[place] - share) * s[place]
        return following

    turned: Any = call("fori_loop", 0, pairs, back, (g, call("zeros_like", ro)))
    q, shares = turned
    return call("fori_loop", size - pairs, size, forth, memory["scale"] * q)


def _common_dtype(parameters: Tensors) -> DType:
    return reduce(promote, (p.dtype for p in parameters.values()))


def _join(tensors: Tensors, dtype: DType) -> Tensor:
    """All elements in one vector."""
    return call("concat", [each.reshape(-1).astype(dtype) for each in tensors.values()])


def _split(vector: Tensor, parameters: Tensors) -> Tensors:
    """The vector's elements in the shapes and dtypes of the parameters."""
    parts: Tensors = {}
    begin: Dim = 0
    for name, p in parameters.items():
        end = begin + p.size
        parts[name] = vector[begin:end].reshape(p.shape).astype(p.dtype)
        begin = end
    return parts


def _largest(x: Tensor) -> Tensor:
    return call("abs", x).max()
