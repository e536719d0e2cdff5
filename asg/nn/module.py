"""Module: a plain class that declares variables and builds nodes when called.

Names follow the attributes, as in PyTorch: ``net.fc1.weight`` is called ``fc1.weight``. Calling a
module opens a scope of its name, so that the picture shows the architecture. Nothing here holds
arrays: values live in the session that runs the compiled step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Self

from asg.core.errors import OperandError
from asg.core.origin import scope
from asg.nn import state_dict as stored
from asg.nn.html import module_html
from asg.nn.summary import module_summary, observed
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
    parametrizations: ModuleDict  # an attribute of those modules only that have some

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Build the nodes of this module; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`forward` inside the scope of this module's name."""
        path = self._scope_path()
        if not path:
            return observed(self, args, kwargs)
        with scope(path):
            return observed(self, args, kwargs)

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
        if name in self.__dict__.get("parametrizations", ()):
            raise OperandError(f"{name!r} is parametrised: asg.nn.utils.remove_parametrizations")
        object.__setattr__(self, name, value)
        if name != "_parent":
            self._adopt(name, value)

    if not TYPE_CHECKING:  # attributes stay checked

        def __getattr__(self, name: str) -> Any:
            """The value computed in place of a variable (see asg/nn/utils)."""
            computed = self.__dict__.get("parametrizations", ())
            if name in computed:
                return computed[name]()
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

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
            for name, variable in module.own_variables():
                if variable.owner is module:
                    variable.name = f"{path}{name}"

    def own_variables(self) -> Iterator[tuple[str, Variable]]:
        """(attribute, variable) of this module itself, keys of random streams included."""
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
        return [module for _, module in self.named_modules()]

    def named_modules(self, remove_duplicate: bool = True) -> list[tuple[str, Module]]:
        """(path, module) of this module (path ``""``) and every one below it, parents first.

        With ``remove_duplicate=False`` a shared module is listed under each of its names.
        """
        found: list[tuple[str, Module]] = []
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate and id(module) in seen:
                continue
            seen.add(id(module))
            found.append((path, module))
            prefix = f"{path}." if path else ""
            below = [(f"{prefix}{name}", child) for name, child in module.children().items()]
            stack.extend(reversed(below))
        return found

    def clone(self) -> Self:
        """A module of the same structure with variables of its own, owned by nobody.

        First values follow from names: a clone draws numbers of its own, unless they are fixed.
        """
        twin = deepcopy(self, {id(self._parent): None})
        object.__setattr__(twin, "_parent", None)
        object.__setattr__(twin, "_name", "")
        twin._rename()
        return twin

    # -- variables --------------------------------------------------------------------------------

    def variables(self) -> dict[str, Variable]:
        """Every variable below this module by name relative to it, each once."""
        found: dict[Variable, str] = {}
        for path, module in self.named_modules():
            prefix = f"{path}." if path else ""
            for name, variable in module.own_variables():
                found.setdefault(variable, f"{prefix}{name}")
        return {name: variable for variable, name in found.items()}

    def parameters(self) -> dict[str, Variable]:
        """The variables of role "parameter" by name (frozen ones included)."""
        return {name: v for name, v in self.variables().items() if v.role == "parameter"}

    def named_parameters(self) -> Iterator[tuple[str, Variable]]:
        """(name, variable) of every parameter, each once."""
        yield from self.parameters().items()

    def buffers(self) -> dict[str, Variable]:
        """What a state dict holds besides parameters: running statistics, counters."""
        stores = stored.STORED_ROLES[1:]
        return {name: v for name, v in self.variables().items() if v.role in stores}

    def state_dict(
        self, session: stored.HoldsState | None = None, seed: int = 0
    ) -> dict[str, stored.Array]:
        """Arrays of parameters and buffers by name, as PyTorch names them.

        Args:
            session: whose current values; without one, the first values.
            seed: of first values: those that ``executable.start(seed)`` begins with.

        Raises:
            FeedError: the session's step does not use some of the variables.

        >>> from asg import nn
        >>> {name: array.shape for name, array in nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        return stored.collect(self, session, seed)

    def load_state_dict(self, arrays: Mapping[str, Any], strict: bool = True) -> stored.LoadedKeys:
        """Make these arrays the first values of the variables: sessions started later have them.

        (`Session.load_state_dict` changes a session that runs.) A shared variable needs one of its
        names only. Floats of another width are converted, as in PyTorch.

        Args:
            arrays: by name, such as `asg.io.load_arrays` returns.
            strict: False skips missing and unexpected names, and returns them.

        Raises:
            FeedError: lists missing, unexpected and mis-shaped names together; nothing is changed.

        >>> from asg import nn
        >>> nn.Linear(3, 2).load_state_dict({"weight": [[1.0, 2.0, 3.0]]})
        Traceback (most recent call last):
        ...
        asg.core.errors.FeedError: the state dict does not fit Linear:
          'bias': f32[2] is missing
          'weight' is f32[2, 3], given f64[1, 3]
        """
        return stored.load(self, arrays, strict)

    def freeze(self, frozen: bool = True) -> Self:
        """Leave all parameters below alone in training (``frozen=False``: train them again)."""
        for variable in self.parameters().values():
            variable.trainable = not frozen
        return self

    def apply(self, function: Callable[[Module], None]) -> Self:
        """Call ``function`` with every module below, children first, then this one."""
        for module in reversed(self.modules()):
            function(module)
        return self

    def summary(self, *specs: Any, training: bool = False) -> str:
        """A table with a row for each call of a module: output type, parameters, flops.

        Args:
            specs: for each argument of ``forward`` a shape, a (shape, dtype) pair, a TensorType or
                a tensor; sizes may be symbolic.
            training: which behaviour of the layers is counted.

        >>> from asg import nn
        >>> print(nn.Sequential(nn.Linear(4, 8), nn.ReLU()).summary(("batch", 4)))
        layer                output         parameters     flops
        (whole): Sequential  f32[batch, 8]          40  80*batch
        0: Linear            f32[batch, 8]          40  72*batch
        1: ReLU              f32[batch, 8]           0   8*batch
        40 parameters, 0 of them frozen
        """
        return module_summary(self, specs, training)

    def _repr_html_(self) -> str:
        """The table of layers, in a notebook."""
        return module_html(self)

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
