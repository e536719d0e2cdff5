"""Modules, layers, initialisers, losses and metrics; `__init__.pyi` lists them."""

from asg.core.lazy import names_on_demand

__getattr__, __dir__, __all__ = names_on_demand(__name__, __file__)
