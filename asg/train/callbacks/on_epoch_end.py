"""OnEpochEnd: a function of yours after every epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asg.core.errors import OperandError
from asg.train.callback import Callback

if TYPE_CHECKING:
    from asg.train.loop import Fit


class OnEpochEnd(Callback):
    """Call ``function(fit, results)`` after every epoch, with the results that it may add to.

    Raises:
        OperandError: what is given cannot be called.

    >>> import numpy as np
    >>> import asg
    >>> from asg import nn
    >>> from asg.train.callbacks import OnEpochEnd
    >>> x = np.ones((8, 1), np.float32)
    >>> told = OnEpochEnd(lambda fit, results: results.update(halved=results["loss"] / 2))
    >>> model = asg.Model(nn.Linear(1, 1), "mse")
    >>> history = model.fit((x, x), epochs=2, callbacks=[told])
    >>> history.history["halved"][1] == history.history["loss"][1] / 2
    True
    """

    def __init__(self, function: Callable[[Fit, dict[str, float]], Any]) -> None:
        """What the function returns is not used."""
        if not callable(function):
            raise OperandError(f"function is {function!r}; give a function of (fit, results)")
        self.function = function

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        self.function(fit, results)
