"""The pieces that most optimizers begin or end with."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.optim.select import Selector, require_selector, selected
from asg.optim.setting import Number, Setting, like, require_setting, scheduled
from asg.optim.transform import Tensors, Transform, map_values, stateless


def scale_by_learning_rate(lr: Setting) -> Transform:
    """``-lr * gradient``; a schedule keeps the step counter as its state."""
    require_setting("lr", lr, 0.0)

    def piece(lr: Number) -> Transform:
        return stateless(
            "learning_rate",
            lambda gradients, _: map_values(lambda g: g * -like(lr, g), gradients),
        )

    return scheduled("learning_rate", {"lr": lr}, piece)


def add_decayed_weights(weight_decay: Setting, no_decay: Selector = ()) -> Transform:
    """``g + weight_decay * p``: L2 decay before a rule, decoupled decay after it.

    Args:
        weight_decay: a number or a schedule.
        no_decay: parameters whose gradients stay as they are (`asg.optim.select.Selector`).
    """
    require_setting("weight_decay", weight_decay, 0.0)
    require_selector("no_decay", no_decay)

    def piece(weight_decay: Number) -> Transform:
        def add(gradients: Tensors, parameters: Tensors) -> Tensors:
            spared = selected(no_decay, parameters)
            return {
                name: g if name in spared else g + like(weight_decay, g) * parameters[name]
                for name, g in gradients.items()
            }

        return stateless("weight_decay", add)

    return scheduled("weight_decay", {"weight_decay": weight_decay}, piece)


def maximize() -> Transform:
    """``-g``: as first piece of a chain, the objective rises.

    >>> from asg import optim
    >>> [piece.name for piece in optim.chain(optim.maximize(), optim.sgd(0.1)).pieces]
    ['maximize', 'learning_rate']
    """
    return stateless("maximize", lambda gradients, _: map_values(lambda g: -g, gradients))


def centralize() -> Transform:
    """``g - mean(g)`` over all axes but the first, for gradients of two axes or more.

    The first axis is that of the outputs in the weights of `asg.nn`. Yong et al., 2020,
    https://arxiv.org/abs/2004.01461.

    >>> import asg
    >>> g = {"weight": asg.constant([[1.0, 3.0], [2.0, 8.0]]), "bias": asg.constant([1.0, 2.0])}
    >>> found = asg.run(centralize().update(g, {}, g)[0])
    >>> found["weight"].tolist(), found["bias"].tolist()
    ([[-1.0, 1.0], [-3.0, 3.0]], [1.0, 2.0])
    """

    def centre(g: Tensor) -> Tensor:
        if g.ndim < 2:
            return g
        return g - g.mean(axis=tuple(range(1, g.ndim)), keepdims=True)

    return stateless("centralize", lambda gradients, _: map_values(centre, gradients))


def leading_pieces(
    rises: bool, weight_decay: Setting = 0.0, no_decay: Selector = ()
) -> list[Transform]:
    """What comes before a rule: the sign of `maximize`, then L2 decay of the gradient."""
    return ([maximize()] if rises else []) + decay_pieces(weight_decay, no_decay)


def decay_pieces(weight_decay: Setting, no_decay: Selector = ()) -> list[Transform]:
    """Decay, where there is any."""
    if callable(weight_decay) or weight_decay != 0.0:
        return [add_decayed_weights(weight_decay, no_decay)]
    if no_decay != ():
        raise OperandError("no_decay is given, but weight_decay is 0; set it, or leave both out")
    return []
