"""SAM: gradients from where the loss is worst nearby."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.clip import global_norm
from asg.optim.transform import (
    Chain,
    Evaluate,
    State,
    Tensors,
    Transform,
    chain,
    map_values,
    require_range,
    run,
)


def sam(
    optimizer: Transform, rho: float = 0.05, adaptive: bool = False, eps: float = 1e-12
) -> Chain:
    """Update by the gradient at ``p + rho g / (|g| + eps)``, with the norm over all parameters.

    Sharpness-aware minimisation: Foret et al., 2021, https://arxiv.org/abs/2010.01412. Adaptive, by
    that at ``p + rho p^2 g / (||p| g| + eps)``, which does not depend on the scale of layers: Kwon
    et al., 2021, https://arxiv.org/abs/2102.11600. A step costs two gradients. Both see the same
    batch and the same dropout masks.

    Args:
        optimizer: what the gradient goes to; clipping and the like belong in it, too.
        rho: how far to look; ten times larger when adaptive.
        adaptive: by the size of each element.
        eps: added to the norm.

    >>> import asg
    >>> w = asg.parameter("w", (2,), init=1.0)
    >>> optimizer = sam(asg.optim.sgd(0.1, momentum=0.5), rho=0.01)
    >>> session = asg.compile(asg.train_step(((w - 3.0) ** 2.0).sum(), optimizer=optimizer)).start()
    >>> losses = [session()["loss"].item() for _ in range(40)]
    >>> losses[-1] < 1e-3 * losses[0]
    True
    """
    require_range("rho", rho, 0.0)
    require_range("eps", eps, 0.0)

    def update(
        gradients: Tensors, state: State, parameters: Tensors, evaluate: Evaluate
    ) -> tuple[Tensors, State]:
        scaled = gradients
        if adaptive:
            scaled = map_values(lambda g, p: call("abs", p) * g, gradients, parameters)
        factor = rho / (global_norm(scaled) + eps)

        def away(p: Tensor, s: Tensor) -> Tensor:
            reach = call("abs", p) * s if adaptive else s
            return p + factor.astype(p.dtype) * reach

        _, there = evaluate(map_values(away, parameters, scaled))
        return run(optimizer, there, state, parameters, evaluate)

    return chain(Transform("sam", optimizer.init, update, evaluates=True, first=True))
