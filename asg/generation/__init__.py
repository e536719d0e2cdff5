"""Texts from language models: `generate`, token by token, with a cache where the model has one."""

from asg.generation.api import generate as generate
from asg.generation.api import stream as stream
from asg.generation.generator import Generator as Generator
from asg.generation.options import Options as Options
