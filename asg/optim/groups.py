"""Parameter groups: other rules for other parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asg.core.errors import OperandError
from asg.optim.select import Selector, label, require_selector, selected
from asg.optim.transform import Evaluate, State, Tensors, Transform, run


def groups(optimizers: Mapping[Any, Transform], default: Transform | None = None) -> Transform:
    """Each parameter by the optimizer of the first selector that selects it, others by ``default``.

    Its state is called ``optimizer.group_1``, ``optimizer.group_2``, ..., ``optimizer.default``. A
    bound on the norm of all gradients goes before it: ``chain(clip_by_global_norm(1.0),
    groups(...))``; inside a group, it is about that group.

    Args:
        optimizers: by selector (`asg.optim.select.Selector`): a glob pattern of names, a module, a
            function of (name, tensor), or a tuple of these.
        default: for parameters that nothing selects.

    Raises:
        OperandError: nothing is left for a selector, or there is no default for some parameters;
            it lists all of them.

    >>> import asg
    >>> from asg import nn, optim
    >>> net = nn.Sequential(body=nn.Linear(2, 3), act=nn.ReLU(), head=nn.Linear(3, 1))
    >>> rules = {"*.bias": optim.sgd(0.1), net.head: optim.lion(1e-3)}
    >>> optimizer = optim.groups(rules, default=optim.sgd(0.1, momentum=0.9))
    >>> step = asg.train_step(net, loss=asg.mse_loss, optimizer=optimizer)(x=(5, 2), y=(5, 1))
    >>> for name in asg.compile(step).start().state_dict(role="optimizer"):
    ...     print(name)
    optimizer.group_2.lion.m.head.weight
    optimizer.default.momentum.buffer.body.weight
    """
    if not optimizers:
        raise OperandError("groups needs at least one selector with its optimizer")
    for selector in optimizers:
        require_selector("groups", selector)
    members = {f"group_{number}": each for number, each in enumerate(optimizers.values(), 1)}
    members |= {} if default is None else {"default": default}

    def init(parameters: Tensors) -> State:
        parts = _parts([*optimizers], parameters, default is not None)
        states = {name: members[name].init(part) for name, part in parts.items()}
        return {name: state for name, state in states.items() if state}

    def update(
        gradients: Tensors, state: State, parameters: Tensors, evaluate: Evaluate | None = None
    ) -> tuple[Tensors, State]:
        updates: Tensors = {}
        following: State = {}
        parts = _parts([*optimizers], parameters, default is not None)
        for name, part in parts.items():
            own = {key: gradients[key] for key in part}
            found, new = run(members[name], own, state.get(name, {}), part, evaluate)
            updates |= found
            following |= {name: new} if new else {}
        return {name: updates[name] for name in gradients}, following

    inner = members.values()
    return Transform(
        "groups", init, update, any(m.evaluates for m in inner), any(m.first for m in inner)
    )


def _parts(selectors: list[Selector], parameters: Tensors, has_default: bool) -> dict[str, Tensors]:
    """The parameters of every group, in their order."""
    parts: dict[str, Tensors] = {}
    left = dict(parameters)
    for number, selector in enumerate(selectors, 1):
        chosen = selected(selector, parameters)
        if not chosen & left.keys():
            raise OperandError(
                f"{label(selector)} selects only parameters that a selector before it took: "
                f"{', '.join(name for name in parameters if name in chosen)}"
            )
        parts[f"group_{number}"] = {name: p for name, p in left.items() if name in chosen}
        left = {name: p for name, p in left.items() if name not in chosen}
    if left and not has_default:
        raise OperandError(
            f"no group takes {', '.join(left)}\n"
            "  repair: groups(..., default=optimizer), or freeze them (trainable=False)"
        )
    return parts | ({"default": left} if left else {})
