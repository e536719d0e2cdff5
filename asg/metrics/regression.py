"""Metrics of regression: of numbers against numbers of the same shape.

Called with (prediction, target, sample_weight=None): a weight for each number, or for each example
(axis 0). Without any number they are NaN.
"""

from __future__ import annotations

from typing import Any

from asg.core.errors import ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.metric import Metric, Tensors
from asg.metrics.moments import joined, moments
from asg.metrics.operands import NAN, number_pair, weights_for
from asg.ops.compare import equal, not_equal

EPSILON = 2.0**-52


class MeanOfErrors(Metric):
    """The weighted mean of some error of each number."""

    higher_is_better = False

    def __init__(self) -> None:
        """Takes no options."""
        super().__init__(total=(), weight=())

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of each number, float64."""
        raise NotImplementedError

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        x, y = number_pair(prediction, target)
        weight = weights_for(sample_weight, x.shape)
        return {"total": (self.error(x, y) * weight).sum(), "weight": weight.sum()}

    def value(self, counters: Tensors) -> Tensor:
        return counters["total"] / counters["weight"]


class MeanSquaredError(MeanOfErrors):
    """The mean of ``(prediction - target)^2``."""

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target) ** 2


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of ``(prediction - target)^2``, over all numbers together."""

    def value(self, counters: Tensors) -> Tensor:
        return call("sqrt", super().value(counters))


class MeanAbsoluteError(MeanOfErrors):
    """The mean of ``|prediction - target|``."""

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        return call("abs", prediction - target)


class MeanAbsolutePercentageError(MeanOfErrors):
    """The mean of ``|prediction - target| / max(|target|, 2^-52)``; 1 is a hundred percent."""

    def error(self, prediction: Tensor, target: Tensor) -> Tensor:
        size = call("maximum", call("abs", target), EPSILON)
        return call("abs", prediction - target) / size


class MaxError(Metric):
    """The largest ``|prediction - target|``; NaN without any number, and if one is NaN."""

    higher_is_better = False

    def __init__(self) -> None:
        """Takes no options."""
        super().__init__(-1.0, largest=())

    def batch(self, prediction: Any, target: Any) -> Tensors:
        x, y = number_pair(prediction, target)
        errors = call("reshape", call("abs", x - y), (-1,))
        return {"largest": call("pad", errors, ((0, 1),), -1.0).max()}

    def merge(self, old: Tensors, new: Tensors) -> Tensors:
        return {"largest": call("maximum", old["largest"], new["largest"])}

    def value(self, counters: Tensors) -> Tensor:
        return call("where", counters["largest"] < 0.0, NAN, counters["largest"])


class _Explained(Metric):
    """A share of the target's variation, of one column or the mean of several."""

    higher_is_better = True

    def __init__(self, num_outputs: int | None = None) -> None:
        """Columns ``[examples, num_outputs]`` are scored one by one; None: all numbers together."""
        good = num_outputs is None or (type(num_outputs) is int and num_outputs > 0)
        shape = (num_outputs if good and num_outputs is not None else 1,)
        super().__init__(weight=shape, mean=shape, square=shape, off_mean=shape, off_square=shape)
        self.require(good, "num_outputs", num_outputs, "must be a positive int or None")
        self.num_outputs = num_outputs

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        x, y = number_pair(prediction, target)
        weight = weights_for(sample_weight, x.shape)
        x, y, weight = (self._columns(each) for each in (x, y, weight))
        return moments(y, weight) | moments(y - x, weight, "off_")

    def _columns(self, x: Tensor) -> Tensor:
        if self.num_outputs is None:
            return call("reshape", x, (-1, 1))
        if x.ndim != 2:
            raise ShapeError(f"prediction is {x.type}, expected [examples, {self.num_outputs}]")
        return call("assume_shape", x, (x.shape[0], self.num_outputs))

    def merge(self, old: Tensors, new: Tensors) -> Tensors:
        return joined(old, new, "", "off_")

    def share(self, unexplained: Tensor, counters: Tensors) -> Tensor:
        """``1 - unexplained / variation``; without variation 1 if all is explained, else 0."""
        varies = not_equal(counters["square"], 0.0)
        quotient = unexplained / call("where", varies, counters["square"], 1.0)
        constant = call("where", equal(unexplained, 0.0), 1.0, 0.0)
        score = call("where", varies, 1.0 - quotient, constant)
        return call("where", counters["weight"] > 0.0, score, NAN).mean()


class R2(_Explained):
    """``1 - sum (target - prediction)^2 / sum (target - mean target)^2``.

    A target that does not vary gives 1 if it is met exactly, else 0, as in scikit-learn (which
    gives NaN for a single example).

    >>> from asg import metrics
    >>> r2 = metrics.R2()
    >>> r2.update([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0])
    >>> round(r2.compute(), 4)
    0.9486
    """

    def value(self, counters: Tensors) -> Tensor:
        off = counters["off_mean"]
        unexplained = counters["off_square"] + counters["weight"] * off * off
        return self.share(unexplained, counters)


class ExplainedVariance(_Explained):
    """``1 - Var(target - prediction) / Var(target)``: `R2` that forgives a constant error."""

    def value(self, counters: Tensors) -> Tensor:
        return self.share(counters["off_square"], counters)
