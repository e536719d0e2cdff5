"""Metrics as functions of the tensors of one batch: nothing is counted, no step is needed.

Each takes the operands of the metric of that name, and its options by keyword.

>>> import asg
>>> from asg import metrics
>>> scores = asg.constant([[0.1, 0.9], [0.8, 0.2]])
>>> asg.run(metrics.functional.accuracy(scores, [1, 1])).item()
0.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.metrics import classification, ranking, regression, text
from asg.metrics.metric import Metric


def _of_one_batch(name: str, metric: Callable[..., Metric]) -> Callable[..., Any]:
    """The function (*operands, **options) -> value of a metric."""

    def function(*operands: Any, **options: Any) -> Any:
        return metric(**options).once(*operands)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (
        f"`asg.metrics.{metric.__name__}` of one batch, as graph.\n\n{metric.__doc__}"
    )
    return function


accuracy = _of_one_batch("accuracy", classification.Accuracy)
top_k_accuracy = _of_one_batch("top_k_accuracy", classification.TopKAccuracy)
precision = _of_one_batch("precision", classification.Precision)
recall = _of_one_batch("recall", classification.Recall)
specificity = _of_one_batch("specificity", classification.Specificity)
f1 = _of_one_batch("f1", classification.F1)
f_beta = _of_one_batch("f_beta", classification.FBeta)
confusion_matrix = _of_one_batch("confusion_matrix", classification.ConfusionMatrix)
auroc = _of_one_batch("auroc", ranking.AUROC)
average_precision = _of_one_batch("average_precision", ranking.AveragePrecision)
mean_squared_error = _of_one_batch("mean_squared_error", regression.MeanSquaredError)
root_mean_squared_error = _of_one_batch("root_mean_squared_error", regression.RootMeanSquaredError)
mean_absolute_error = _of_one_batch("mean_absolute_error", regression.MeanAbsoluteError)
mean_absolute_percentage_error = _of_one_batch(
    "mean_absolute_percentage_error", regression.MeanAbsolutePercentageError
)
max_error = _of_one_batch("max_error", regression.MaxError)
r2 = _of_one_batch("r2", regression.R2)
explained_variance = _of_one_batch("explained_variance", regression.ExplainedVariance)
perplexity = _of_one_batch("perplexity", text.Perplexity)


def bleu(candidates: Any, references: Any, **options: Any) -> float:
    """`asg.metrics.BLEU` of these sentences, a float."""
    score = text.BLEU(**options)
    score.update(candidates, references)
    return score.compute()
