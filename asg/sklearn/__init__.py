"""Networks as estimators of scikit-learn: in its pipelines, searches and cross-validations.

Needs scikit-learn, of the extra ``data``.
"""

from importlib.util import find_spec as _find_spec

from asg.core.errors import MissingLibrary as _MissingLibrary

if _find_spec("sklearn") is None:
    raise _MissingLibrary("asg.sklearn needs scikit-learn: pip install 'asg-compiler[data]'")

from asg.sklearn.estimators import Classifier as Classifier
from asg.sklearn.estimators import Regressor as Regressor
