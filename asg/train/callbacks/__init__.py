"""What may happen beside a training: checkpoints, early stops, logs, pictures of it."""

from asg.train.callbacks.checkpoint import SaveCheckpoints as SaveCheckpoints
from asg.train.callbacks.early_stopping import EarlyStopping as EarlyStopping
from asg.train.callbacks.histograms import Histograms as Histograms
from asg.train.callbacks.logs import CsvLogger as CsvLogger
from asg.train.callbacks.logs import JsonlLogger as JsonlLogger
from asg.train.callbacks.logs import PrintEpochs as PrintEpochs
from asg.train.callbacks.logs import Timing as Timing
from asg.train.callbacks.nan_watch import NanWatch as NanWatch
from asg.train.callbacks.on_epoch_end import OnEpochEnd as OnEpochEnd
from asg.train.callbacks.plateau import FeedPlateau as FeedPlateau
from asg.train.callbacks.progress import Progress as Progress
from asg.train.callbacks.tensor_board import TensorBoard as TensorBoard
