"""Files: arrays as safetensors, and durable writes."""

from asg.io.arrays import load_arrays as load_arrays
from asg.io.arrays import load_metadata as load_metadata
from asg.io.arrays import save_arrays as save_arrays
from asg.io.atomic import write_bytes as write_bytes
from asg.io.atomic import write_text as write_text
