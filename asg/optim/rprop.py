"""Rprop: steps by the sign of the gradient alone, for full batches."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.pieces import leading_pieces
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_pair,
    require_range,
    zeros_of,
)


def _sign_steps(lr: float, etas: tuple[float, float], sizes: tuple[float, float]) -> Transform:
    def init(parameters: Tensors) -> State:
        first = map_values(lambda p: call("full", p.shape, lr, p.dtype), parameters)
        return {"previous": zeros_of(parameters), "size": first}

    def resized(size: Tensor, agreement: Tensor) -> Tensor:
        shrunk = call("where", agreement < 0.0, size * etas[0], size)
        return call("clip", call("where", agreement > 0.0, size * etas[1], shrunk), *sizes)

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        agreement = map_values(
            lambda g, b: call("sign", g) * call("sign", b), gradients, state["previous"]
        )
        size = map_values(resized, state["size"], agreement)
        kept = map_values(lambda g, a: call("where", a < 0.0, 0.0 * g, g), gradients, agreement)
        updates = map_values(lambda g, s: -call("sign", g) * s, kept, size)
        return updates, {"previous": kept, "size": size}

    return Transform("rprop", init, update)


def rprop(
    lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50.0),
    *,
    maximize: bool = False,
) -> Chain:
    """``p <- p - size * sign(g)`` with a size for each element, as `torch.optim.Rprop`.

    The size grows by ``etas[1]`` while the gradient keeps its sign. When the sign turns, it
    shrinks by ``etas[0]``, and that element stays where it is for a step. Riedmiller and Braun,
    1993, https://doi.org/10.1109/ICNN.1993.298623.

    Args:
        lr: the first size.
        etas: factors of shrinking, below 1, and growing, above 1.
        step_sizes: the smallest and the largest size.
        maximize: climb instead of descending.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=rprop(0.1))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    require_range("lr", lr, 0.0)
    shrink, grow = require_pair("etas", etas)
    smallest, largest = require_pair("step_sizes", step_sizes)
    if not 0.0 < shrink < 1.0 < grow:
        raise OperandError(f"etas={etas!r}: the first must be in (0, 1), the second above 1")
    if not 0.0 <= smallest <= largest:
        raise OperandError(f"step_sizes={step_sizes!r} must be 0 <= smallest <= largest")
    return chain(*leading_pieces(maximize), _sign_steps(lr, (shrink, grow), (smallest, largest)))
