"""Classifier and Regressor: a model of asg behind scikit-learn's `fit` and `predict`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from asg import nn, optim
from asg.core.errors import OperandError
from asg.train import History, Model
from asg.train.choices import chosen_optimizer

Array = np.ndarray[Any, Any]
FLOATS = [np.float64, np.float32]


class Estimator(BaseEstimator):  # type: ignore[misc]
    """What a classifier and a regressor share.

    Attributes, after `fit`:
        weights_: the arrays of the network by name, as `asg.Model.weights`.
        history_: of the epochs.
        n_iter_: how many epochs there were.
        n_features_in_: columns of X.
    """

    history_: History
    weights_: dict[str, Array]

    def __init__(
        self,
        hidden: Sequence[int] = (100,),
        net: Callable[[int, int], Any] | None = None,
        loss: Any = None,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        epochs: int = 100,
        batch_size: int = 32,
        backend: str = "numpy",
        callbacks: Sequence[Any] = (),
        random_state: Any = None,
    ) -> None:
        """Everything is kept as it is, and looked at by `fit`.

        Args:
            hidden: sizes of the hidden layers of a network of dense layers and ReLU.
            net: instead of it, a function from the number of features and of results to a module.
            loss: see `asg.Model`; cross entropy, or mean squared error, unless given.
            optimizer: see `asg.Model`.
            learning_rate: with the name of an optimizer, other than its default.
            epochs: how often every example is seen.
            batch_size: examples per step.
            backend: see `asg.compile`.
            callbacks: see `asg.train.callbacks`.
            random_state: an int for the same fit every time; see scikit-learn.
        """
        self.hidden, self.net, self.loss = hidden, net, loss
        self.optimizer, self.learning_rate = optimizer, learning_rate
        self.epochs, self.batch_size, self.backend = epochs, batch_size, backend
        self.callbacks, self.random_state = callbacks, random_state

    _default_loss = ""

    def _fit(self, x: Array, y: Array, outputs: int) -> None:
        """Train a new model; x and what the network computes have one dtype."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._built_for = (x.shape[1], outputs, x.dtype.name, seed)
        model = self._new_model()
        self.history_ = model.fit((x, y), self.epochs, self.batch_size, callbacks=self.callbacks)
        self.weights_, self.n_iter_ = model.weights(), self.history_.epochs
        self._model = model

    def _new_model(self) -> Model:
        features, outputs, dtype, seed = self._built_for
        if self.net is None:
            net: Any = nn.models.MLP(features, (*self.hidden, outputs), dtype=dtype)
        else:
            net = self.net(features, outputs)
        loss = self._default_loss if self.loss is None else self.loss
        return Model(net, loss, self._chosen_optimizer(), backend=self.backend, seed=seed)

    def _chosen_optimizer(self) -> Any:
        found = chosen_optimizer(self.optimizer)
        if self.learning_rate is None:
            return found
        if not isinstance(self.optimizer, str):
            raise OperandError("learning_rate goes with the name of an optimizer; give it to yours")
        return getattr(optim, self.optimizer)(self.learning_rate)

    @property
    def model_(self) -> Model:
        """The trained `asg.Model`.

        Raises:
            NotFittedError: there is none before `fit`.
        """
        check_is_fitted(self, "weights_")
        if "_model" not in self.__dict__:  # after pickling, which keeps the weights alone
            self._model = self._new_model()
            self._model.net.load_state_dict(self.weights_)
        return self._model

    def _results(self, x: Any) -> Array:
        """What the network computes of the rows of X."""
        check_is_fitted(self, "weights_")
        given = validate_data(self, x, reset=False, dtype=FLOATS)
        found: Array = self.model_.predict(given.astype(self._built_for[2], copy=False))
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Without compiled programs: they are made again when they are needed."""
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_model", None)
        return state


class Classifier(ClassifierMixin, Estimator):  # type: ignore[misc]
    """A network that tells classes; they may be numbers, strings, or anything scikit-learn takes.

    Attributes, after `fit`, and those of `Estimator`:
        classes_: the classes, sorted.

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from asg.sklearn import Classifier
    >>> network = Classifier(hidden=(16,), learning_rate=0.01, epochs=30, random_state=0)
    >>> pipeline = make_pipeline(StandardScaler(), network)
    >>> cross_val_score(pipeline, *load_iris(return_X_y=True), cv=3).mean() > 0.9
    np.True_
    """

    _default_loss = "cross_entropy"
    classes_: Array

    def fit(self, X: Any, y: Any) -> Classifier:
        """Train on rows of X and their classes.

        Raises:
            ValueError: what is given is no table of finite numbers with a class for each row.
        """
        x, labels = validate_data(self, X, y, dtype=FLOATS)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        self._fit(x, numbers.astype(np.int32), len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, in the order of ``classes_``: softmax of the results."""
        logits = self._results(X)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances: Array = powers / powers.sum(axis=1, keepdims=True)
        return chances

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row."""
        best = self._results(X).argmax(axis=1)
        found: Array = self.classes_[best]
        return found


class Regressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A network that gives a number for each row, or several.

    >>> import numpy as np
    >>> from asg.sklearn import Regressor
    >>> x = np.linspace(-1, 1, 60).reshape(-1, 1)
    >>> line = Regressor(hidden=(), learning_rate=0.05, epochs=60, random_state=0)
    >>> line.fit(x, 2 * x[:, 0] + 1).score(x, 2 * x[:, 0] + 1) > 0.999
    True
    """

    _default_loss = "mse"

    def fit(self, X: Any, y: Any) -> Regressor:
        """Train on rows of X and their numbers, y [n] or [n, results].

        Raises:
            ValueError: what is given are no tables of finite numbers of as many rows.
        """
        x, target = validate_data(self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True)
        self._flat = target.ndim == 1
        columns = target.reshape(len(target), -1).astype(x.dtype)
        self._fit(x, columns, columns.shape[1])
        return self

    def predict(self, X: Any) -> Array:
        """The numbers, in the form of y."""
        found = self._results(X)
        return found[:, 0] if self._flat else found

    def __sklearn_tags__(self) -> Any:
        """It takes several results."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
