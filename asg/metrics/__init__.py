"""Streaming metrics: counters inside a step, on arrays, or of a single batch.

>>> import asg
>>> from asg import metrics, nn
>>> step = asg.eval_step(
...     nn.Linear(4, 3), loss=nn.cross_entropy, metrics={"accuracy": metrics.Accuracy()}
... )(x=("batch", 4), y=(("batch",), "int32"))
>>> [step.input_names[slot.input] for slot in step.state][-2:]
['metrics.accuracy.right', 'metrics.accuracy.total']
"""

from asg.metrics import functional as functional
from asg.metrics.classification import F1 as F1
from asg.metrics.classification import Accuracy as Accuracy
from asg.metrics.classification import ConfusionMatrix as ConfusionMatrix
from asg.metrics.classification import FBeta as FBeta
from asg.metrics.classification import Precision as Precision
from asg.metrics.classification import Recall as Recall
from asg.metrics.classification import Specificity as Specificity
from asg.metrics.classification import TopKAccuracy as TopKAccuracy
from asg.metrics.collection import Collection as Collection
from asg.metrics.metric import Metric as Metric
from asg.metrics.ranking import AUROC as AUROC
from asg.metrics.ranking import AveragePrecision as AveragePrecision
from asg.metrics.regression import R2 as R2
from asg.metrics.regression import ExplainedVariance as ExplainedVariance
from asg.metrics.regression import MaxError as MaxError
from asg.metrics.regression import MeanAbsoluteError as MeanAbsoluteError
from asg.metrics.regression import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from asg.metrics.regression import MeanSquaredError as MeanSquaredError
from asg.metrics.regression import RootMeanSquaredError as RootMeanSquaredError
from asg.metrics.text import BLEU as BLEU
from asg.metrics.text import Perplexity as Perplexity
from asg.metrics.trackers import ExponentialMovingAverage as ExponentialMovingAverage
from asg.metrics.trackers import Mean as Mean
from asg.metrics.trackers import MinMax as MinMax
from asg.metrics.trackers import Std as Std
