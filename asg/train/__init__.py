"""Training: `Model` with `fit`, `evaluate` and `predict`, and what `asg train` runs."""

from asg.train import callbacks as callbacks
from asg.train.callback import Callback as Callback
from asg.train.history import History as History
from asg.train.inference import InferenceModel as InferenceModel
from asg.train.inference import load_for_inference as load_for_inference
from asg.train.loop import Fit as Fit
from asg.train.model import Model as Model
