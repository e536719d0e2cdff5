"""Every error class of asg. Each docstring says the cause and the cure.

All derive from :class:`AsgError`; classes that stand for an ordinary Python mistake also derive
from the built-in error a reader would expect (``ValueError``, ``TypeError``), so that generic
handlers keep working.
"""

from __future__ import annotations


class AsgError(Exception):
    """The root of every error raised by asg; ``except asg.AsgError`` catches them all.

    Attributes:
        title: the function or op that the message is about, once it has been explained.
        place: the user's line that it names.
        inner: what the innermost op said, before functions around it put their names in front.
    """

    title: str = ""
    place: object = None
    inner: str = ""


class DimError(AsgError, ValueError):
    """A size that is malformed, negative, undecidable or unbound.

    Cause: a symbolic size was used where a number is needed, or a question about sizes
    ("is n less than m?") has no answer for every binding. Cure: give a literal size, tighten the
    symbol's bounds (``asg.dim("n", minimum=8)``), or ask at run time.
    """


class DtypeError(AsgError, TypeError):
    """Dtypes that do not mix, or an operation that the dtype does not support.

    Cause: for instance ``uint64 + int32``, or ``exp`` of integers. Cure: ``x.astype(...)``.
    """


class ShapeError(AsgError, ValueError):
    """Operands whose shapes cannot work together.

    The message names both operands, the source line that made each, the two sizes, and a repair.
    """


class OperandError(AsgError, TypeError):
    """A call with the wrong number or kind of operands or attributes."""


class NotRunYet(AsgError, TypeError):
    """A graph value was used as if it already held numbers.

    Cause: ``if x > 0``, ``float(x)``, ``len(x)`` or ``np.asarray(x)`` on a symbolic tensor.
    Cure: ``asg.where`` for choices inside the graph; ``asg.run(x, {...})`` to see numbers.
    """


class GraphError(AsgError, ValueError):
    """A graph that is not well formed; the message shows the neighbourhood of the culprit.

    Raised by ``asg.core.verify``. From user code: a name used twice, a leaf that is not an input.
    From a pass: the pass has a defect, and its name is in the message.
    """


class NotDifferentiable(AsgError, TypeError):
    """A gradient was asked through operations that have none.

    The message lists every such operation with the path from the loss. Cure: ``stop_gradient``
    around the value if its gradient is meant to be zero, or a rule for the op.
    """


class UnreachedParameter(AsgError, ValueError):
    """The loss does not depend on some of the values it should be differentiated by.

    All of them are listed. Cure: use the value in the loss, remove it from ``wrt``, or pass
    ``allow_unused=True`` to get zeros.
    """


class UnknownName(AsgError, LookupError):
    """A name (op, function, backend, input, variable) that nothing is registered under."""


class UnsupportedOp(AsgError, NotImplementedError):
    """A backend has no kernel for a primitive op and the op has no decomposition."""


class KernelError(AsgError, RuntimeError):
    """A backend's kernel broke its contract: wrong number, dtype or shape of results.

    The message names the op and both types. It is a defect of the kernel, not of the graph.
    """


class RewriteError(AsgError, ValueError):
    """A rewrite rule or pass broke its contract (changed a type, never settled)."""


class PassError(AsgError, ArithmeticError):
    """A pass or rule changed a value by more than it may; only debugging looks for it.

    Compile without the rule that the message names: ``asg.configure(without=(name,))``.
    """


class FeedError(AsgError, ValueError):
    """Arrays given to a compiled graph do not fit its inputs.

    The message names the input, the axis, and both claims about the size or dtype.
    """


class StateError(AsgError, RuntimeError):
    """A variable was written outside a trace, or traced state is inconsistent."""


class MissingLibrary(AsgError, ImportError):
    """An optional library is not installed; the message is the one line that adds it."""


class TextError(AsgError, ValueError):
    """The text of a graph cannot be read; the message gives line and column."""


class Diverged(AsgError, ArithmeticError):
    """Training produced a loss that is not a finite number; what it did before is kept.

    Cause: almost always steps that are too large. Cure: a smaller learning rate.
    """


class UnfitData(Diverged):
    """The loss is no finite number because of the examples: NaN, or labels out of range."""


class ConfigError(AsgError, ValueError):
    """A configuration file or option is wrong; the message gives key, value and a suggestion."""


class FileError(AsgError, OSError):
    """A file is missing, damaged, or of an unknown format or version."""
