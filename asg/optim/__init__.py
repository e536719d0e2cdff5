"""Optimizers as update graphs: small transforms that chain."""

from asg.optim.adam import adam as adam
from asg.optim.adam import adamw as adamw
from asg.optim.adam import scale_by_adam as scale_by_adam
from asg.optim.clip import clip_by_global_norm as clip_by_global_norm
from asg.optim.clip import clip_by_value as clip_by_value
from asg.optim.clip import global_norm as global_norm
from asg.optim.schedule import Schedule as Schedule
from asg.optim.schedule import constant as constant
from asg.optim.schedule import cosine as cosine
from asg.optim.schedule import linear as linear
from asg.optim.schedule import scale_by_learning_rate as scale_by_learning_rate
from asg.optim.schedule import warmup as warmup
from asg.optim.sgd import add_decayed_weights as add_decayed_weights
from asg.optim.sgd import sgd as sgd
from asg.optim.sgd import trace as trace
from asg.optim.transform import Transform as Transform
from asg.optim.transform import chain as chain
