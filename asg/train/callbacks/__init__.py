"""What may happen beside a training: checkpoints, early stops, logs."""

from asg.train.callbacks.checkpoint import SaveCheckpoints as SaveCheckpoints
