"""Files: arrays as safetensors, published weights, checkpoints, and durable writes."""

from asg.io.arrays import load_arrays as load_arrays
from asg.io.arrays import load_metadata as load_metadata
from asg.io.arrays import save_arrays as save_arrays
from asg.io.atomic import write_bytes as write_bytes
from asg.io.atomic import write_text as write_text
from asg.io.checkpoint import Checkpoint as Checkpoint
from asg.io.checkpoint import CheckpointFolder as CheckpointFolder
from asg.io.checkpoint import checkpoint_at as checkpoint_at
from asg.io.checkpoint import read_checkpoint as read_checkpoint
from asg.io.checkpoint import write_checkpoint as write_checkpoint
from asg.io.pretrained import from_pretrained as from_pretrained
from asg.io.pretrained import load_pretrained as load_pretrained
from asg.io.torch_file import load_torch as load_torch
