"""Modules one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from asg.core.errors import OperandError
from asg.nn.module import Module


class Sequential(Module):
    """Modules applied one after the other; positional (``0``, ``1``) or named children.

    >>> from asg import nn
    >>> net = nn.Sequential(fc1=nn.Linear(64, 32), act=nn.ReLU(), fc2=nn.Linear(32, 10))
    >>> list(net.parameters())
    ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']
    """

    def __init__(self, *modules: Module, **named: Module) -> None:
        """Give modules by position or by name, not both."""
        if modules and named:
            raise OperandError("give Sequential positional or named modules, not both")
        listed = named or {str(position): module for position, module in enumerate(modules)}
        for name, module in listed.items():
            if not isinstance(module, Module):
                raise OperandError(f"Sequential child {name!r} is {module!r}, not a Module")
            if hasattr(Module, name):
                raise OperandError(f"{name!r} is a method of Module; name the child differently")
            setattr(self, name, module)
        self._order = tuple(listed)

    if TYPE_CHECKING:  # children are attributes of the names given

        def __getattr__(self, name: str) -> Any: ...

    def forward(self, x: Any) -> Any:
        """Each module on the result of the one before."""
        for module in self:
            x = module(x)
        return x

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Module]:
        return iter([getattr(self, name) for name in self._order])

    def __getitem__(self, index: int) -> Module:
        module: Module = getattr(self, self._order[index])
        return module
