"""ASGD: stochastic gradient descent with an average of the parameters."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.pieces import leading_pieces
from asg.optim.setting import (
    Number,
    Setting,
    first_count,
    like,
    rate_dtype,
    require_setting,
    scheduled,
)
from asg.optim.transform import (
    Chain,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_range,
    zeros_of,
)


def _averaged_descent(lr: Setting, lambd: float, alpha: float, t0: float) -> Transform:
    def piece(lr: Number) -> Transform:
        def init(parameters: Tensors) -> State:
            return {"count": first_count(parameters), "average": zeros_of(parameters)}

        def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
            count = state["count"]
            done = count.astype(rate_dtype(count))
            eta = lr / (1.0 + lambd * lr * done) ** alpha
            share = 1.0 / call("maximum", done - t0, 1.0)
            updates = map_values(
                lambda g, p: -like(eta, p) * (lambd * p + g), gradients, parameters
            )

            def average(a: Tensor, p: Tensor, u: Tensor) -> Tensor:
                closer: Tensor = a + like(share, a) * (p + u - a)
                return closer

            averages = map_values(average, state["average"], parameters, updates)
            return updates, {"count": count + 1, "average": averages}

        return Transform("asgd", init, update)

    return scheduled("asgd", {"lr": lr}, piece)


def asgd(
    lr: Setting = 1e-2,
    lambd: float = 1e-4,
    alpha: float = 0.75,
    t0: float = 1e6,
    weight_decay: Setting = 0.0,
    *,
    maximize: bool = False,
) -> Chain:
    """``p <- p - eta (lambd p + g)`` and the average of p, as `torch.optim.ASGD`.

    ``eta = lr / (1 + lambd lr t)^alpha`` and ``a <- a + (p - a) / max(1, t - t0)`` after t = 0, 1,
    ... steps, of ``g + weight_decay * p``. The average is the state ``optimizer.asgd.average``;
    `asg.optim.averaged_parameters` reads it. Polyak and Juditsky, 1992,
    https://doi.org/10.1137/0330046.

    Args:
        lr, weight_decay: numbers or schedules.
        lambd: decay of the parameters, and of the rate.
        alpha: power by which the rate falls.
        t0: the step at which averaging begins; the average equals the parameters before.
        maximize: climb instead of descending.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> step = asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=asgd(0.1))
    >>> session = asg.compile(step).start()
    >>> losses = [session()["loss"].item() for _ in range(60)]
    >>> losses[-1] < 1e-2 * losses[0]
    True
    """
    require_setting("lr", lr, 0.0)
    require_range("lambd", lambd, 0.0)
    require_range("alpha", alpha, 0.0)
    require_range("t0", t0, 0.0)
    return chain(*leading_pieces(maximize, weight_decay), _averaged_descent(lr, lambd, alpha, t0))
