"""Losses, optimizers and metrics that a model may be given by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asg import metrics, optim
from asg.core.errors import UnknownName
from asg.core.registry import call, snake_case
from asg.train.problem import unknown_choice

LOSSES: dict[str, str] = {
    "cross_entropy": "cross_entropy",
    "mse": "mse_loss",
    "mae": "l1_loss",
    "l1": "l1_loss",
    "huber": "huber_loss",
    "smooth_l1": "smooth_l1_loss",
    "nll": "nll_loss",
    "binary_cross_entropy": "binary_cross_entropy",
    "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits",
    "kl_div": "kl_div",
    "hinge": "hinge_loss",
    "poisson_nll": "poisson_nll_loss",
}
OPTIMIZERS = (
    "sgd", "adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad", "adadelta",
    "adabelief", "lion", "lamb", "lars", "adafactor", "rprop", "asgd",
)  # fmt: skip
METRICS: dict[str, Callable[[], Any]] = {
    "accuracy": metrics.Accuracy,
    "top5_accuracy": lambda: metrics.TopKAccuracy(5),
    "mse": metrics.MeanSquaredError,
    "rmse": metrics.RootMeanSquaredError,
    "mae": metrics.MeanAbsoluteError,
    "r2": metrics.R2,
    "perplexity": metrics.Perplexity,
}


def chosen_loss(loss: Any) -> Callable[..., Any]:
    """A function of (prediction, target): the one given, or that of the name.

    Raises:
        UnknownName: there is no loss of that name; close names are listed.
    """
    if callable(loss):
        return loss  # type: ignore[no-any-return]
    function = LOSSES[_known("loss", loss, LOSSES)]
    return lambda prediction, target: call(function, prediction, target)


def chosen_optimizer(optimizer: Any) -> Any:
    """The optimizer given, or that of the name, with its defaults.

    Raises:
        UnknownName: there is no optimizer of that name.
    """
    if not isinstance(optimizer, str):
        return optimizer
    name = _known("optimizer", optimizer, OPTIMIZERS)
    return optim.sgd(1e-2) if name == "sgd" else getattr(optim, name)()


def chosen_metrics(given: Sequence[Any] | Mapping[str, Any]) -> dict[str, Any]:
    """Metrics by name from a mapping, or from a list of names, metrics and functions.

    Raises:
        UnknownName: there is no metric of that name.
    """
    if isinstance(given, Mapping):
        return {name: _metric(each) for name, each in given.items()}
    found: dict[str, Any] = {}
    for each in given:
        name = each if isinstance(each, str) else getattr(each, "__name__", None)
        found[name or snake_case(type(each).__name__)] = _metric(each)
    return found


def _metric(given: Any) -> Any:
    return METRICS[_known("metric", given, METRICS)]() if isinstance(given, str) else given


def _known(kind: str, name: Any, choices: Any) -> str:
    if name not in choices:
        raise UnknownName(unknown_choice(kind, str(name), list(choices)))
    return str(name)
