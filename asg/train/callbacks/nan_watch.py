"""NanWatch: stop at the first step that is not finite, and say what made it so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from asg.compiler.nonfinite import first_nonfinite
from asg.core.errors import Diverged
from asg.train.callback import Callback

if TYPE_CHECKING:
    from asg.train.loop import Fit


class NanWatch(Callback):
    """Wait for every step, and raise `Diverged` at the first whose values are not all finite.

    Such a step changes nothing, so the model keeps the parameters it had before; the error names
    the first operation that gave NaN or infinity, its line in your program, and the range of its
    operands, or the array of the batch that has them.
    """

    guards: ClassVar[bool] = True

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        if bool(results["finite"]):
            return
        graph, session = fit.model.graph(), fit.model.training
        batch = dict(zip(fit.model.inputs, map(np.asarray, fit.arrays), strict=True))
        state = session.state_dict() | session.state_dict("data")
        found = first_nonfinite(graph, {**state, **batch})
        told = found or "nothing when NumPy computes the step: rounding of the other backend"
        fit.stop(f"step {fit.step} is not finite")
        raise Diverged(
            f"step {fit.step} (batch {fit.batch} of epoch {fit.epoch}) is not finite; it has not "
            f"changed the model\n  {told}"
        )
