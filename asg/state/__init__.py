"""Variables, traces and the builders of pure steps."""

from asg.state.initial import init_step as init_step
from asg.state.random import RandomStream as RandomStream
from asg.state.step import eval_step as eval_step
from asg.state.step import train_step as train_step
from asg.state.trace import StateTrace as StateTrace
from asg.state.trace import is_training as is_training
from asg.state.trace import training_mode as training_mode
from asg.state.variable import Variable as Variable
from asg.state.variable import parameter as parameter
