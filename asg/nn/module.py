"""Module: a plain class that declares variables and builds nodes when called.

Names follow the attributes, as in PyTorch: ``net.fc1.weight`` is called ``fc1.weight``. Calling a
module opens a scope of its name, so that the picture shows the architecture. Nothing here holds
arrays: values live in the session that runs the compiled step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from asg.core.errors import OperandError
from asg.core.origin import scope
from asg.state.random import RandomStream
from asg.state.variable import Variable


class Module:
    """Base class: assign variables and modules as attributes, define ``forward``.

    >>> import asg
    >>> from asg import nn
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.out = nn.Linear(8, 2)
    ...     def forward(self, x):
    ...         return self.out(asg.relu(self.hidden(x)))
    >>> list(Net().parameters())
    ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    """

    _name: str = ""
    _parent: Module | None = None
    _is_container = False  # never called itself, so its name joins its children's scopes

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Build the nodes of this module; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`forward` inside the scope of this module's name."""
        path = self._scope_path()
        if not path:
            return self.forward(*args, **kwargs)
        with scope(path):
            return self.forward(*args, **kwargs)

    def _scope_path(self) -> str:
        parts: list[str] = [self._name] if self._name else []
        parent = self._parent
        while parent is not None and parent._is_container:
            parts += [parent._name] if parent._name else []
            parent = parent._parent
        return "/".join(reversed(parts))

    # -- the tree ------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        """Adopt variables and modules; a list of modules becomes a ModuleList, a dict a ModuleDict.

        An attribute called ``_parent`` refers to a module without adopting it.
        """
        value = _as_container(name, value)
        object.__setattr__(self, name, value)
        if name != "_parent":
            self._adopt(name, value)

    def _adopt(self, name: str, value: Any) -> None:
        """Give a child its name; a shared child keeps the first one it was given."""
        if isinstance(value, RandomStream):
            value = value.key
        if isinstance(value, Variable) and value.owner is None:
            value.owner = self
            value.name = f"{self._path()}{name}"
        elif isinstance(value, Module) and value._parent is None and value is not self:
            object.__setattr__(value, "_parent", self)
            object.__setattr__(value, "_name", name)
            value._rename()

    def _path(self) -> str:
        """``encoder.0.``: the prefix of this module's variables."""
        parts: list[str] = []
        module: Module | None = self
        while module is not None and module._name:
            parts.append(module._name)
            module = module._parent
        return "".join(f"{part}." for part in reversed(parts))

    def _rename(self) -> None:
        """Prefix the names of all variables below after this module got a parent."""
        for module in self.modules():
            path = module._path()
            for name, variable in module._own_variables():
                if variable.owner is module:
                    variable.name = f"{path}{name}"

    def _own_variables(self) -> Iterator[tuple[str, Variable]]:
        for name, value in vars(self).items():
            if isinstance(value, RandomStream):
                value = value.key
            if isinstance(value, Variable):
                yield name, value

    def children(self) -> dict[str, Module]:
        """Direct submodules by attribute name."""
        found = {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, Module) and name != "_parent"
        }
        return found

    def modules(self) -> list[Module]:
        """This module and every one below it, each once, parents first."""
        found: dict[int, Module] = {}
        stack: list[Module] = [self]
        while stack:
            module = stack.pop()
            if id(module) in found:
                continue
            found[id(module)] = module
            stack.extend(reversed(module.children().values()))
        return list(found.values())

    # -- variables --------------------------------------------------------------------------------

    def variables(self) -> dict[str, Variable]:
        """Every variable below this module by name relative to it, each once."""
        found: dict[str, Variable] = {}
        seen: set[Variable] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        visited: set[int] = set()
        while stack:
            prefix, module = stack.pop()
            if id(module) in visited:
                continue
            visited.add(id(module))
            for name, variable in module._own_variables():
                if variable not in seen:
                    seen.add(variable)
                    found[f"{prefix}{name}"] = variable
            below = [(f"{prefix}{name}.", child) for name, child in module.children().items()]
            stack.extend(reversed(below))
        return found

    def parameters(self) -> dict[str, Variable]:
        """The variables of role "parameter" by name (frozen ones included)."""
        return {name: v for name, v in self.variables().items() if v.role == "parameter"}

    def freeze(self, frozen: bool = True) -> Module:
        """Leave all parameters below alone in training (``frozen=False``: train them again)."""
        for variable in self.parameters().values():
            variable.trainable = not frozen
        return self

    def describe(self) -> str:
        """The constructor's arguments for `repr`; layers override it."""
        return ""

    def __repr__(self) -> str:
        """The tree of modules, one per line."""
        lines = [f"{type(self).__name__}({self.describe()})"]
        for name, child in self.children().items():
            first, *rest = repr(child).splitlines()
            lines += [f"  {name}: {first}", *(f"  {line}" for line in rest)]
        return "\n".join(lines)


def _as_container(name: str, value: Any) -> Any:
    """A list or dict that holds modules as a module, so that none of them is overlooked."""
    if not isinstance(value, list | tuple | dict) or not _holds_variables(value):
        return value
    inner = value if isinstance(value, dict) else dict(enumerate(value))
    children = {str(key): _as_container(f"{name}.{key}", child) for key, child in inner.items()}
    if not all(isinstance(child, Module) for child in children.values()):
        raise OperandError(
            f"{name} mixes modules or variables with other things in one {type(value).__name__}; "
            "assign variables as attributes of their own, modules in a list or dict of modules"
        )
    return ModuleDict(children) if isinstance(value, dict) else ModuleList(children.values())


def _holds_variables(value: Any) -> bool:
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, Module | Variable | RandomStream):
            return True
        if isinstance(current, list | tuple | dict):
            stack.extend(current.values() if isinstance(current, dict) else current)
    return False


class ModuleList(Module):
    """Modules in order: ``layers.0``, ``layers.1`` ...; indexed and iterated like a list."""

    _is_container = True

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        """A list of modules assigned to an attribute becomes one by itself."""
        for position, module in enumerate(modules):
            setattr(self, str(position), module)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self.children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self.children().values())

    def __getitem__(self, index: int) -> Module:
        return list(self.children().values())[index]


class ModuleDict(Module):
    """Modules by name; indexed like a dict."""

    _is_container = True

    def __init__(self, modules: Mapping[str, Module]) -> None:
        """``modules`` by name."""
        for name, module in modules.items():
            if hasattr(type(self), name):
                raise OperandError(f"{name!r} is a method of ModuleDict; choose another name")
            setattr(self, name, module)

    def __len__(self) -> int:
        return len(self.children())

    def __iter__(self) -> Iterator[str]:
        return iter(self.children())

    def __getitem__(self, name: str) -> Module:
        return self.children()[name]

    def __contains__(self, name: object) -> bool:
        return name in self.children()

    def keys(self) -> Iterable[str]:
        """The names."""
        return self.children().keys()

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self.children().values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """(name, module) pairs."""
        return self.children().items()
