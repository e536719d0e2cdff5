"""Initialisers: functions of (key, type) that build the first value of a variable as graph.

Because they are graph on counter-based random bits, both backends start from equal values. They
are made for whoever declares a variable, and `initialize` changes those of a finished module.
"""

from asg.nn.init.distributions import constant as constant
from asg.nn.init.distributions import normal as normal
from asg.nn.init.distributions import ones as ones
from asg.nn.init.distributions import trunc_normal as trunc_normal
from asg.nn.init.distributions import truncated_normal as truncated_normal
from asg.nn.init.distributions import uniform as uniform
from asg.nn.init.distributions import zeros as zeros
from asg.nn.init.rules import initialize as initialize
from asg.nn.init.scaled import calculate_gain as calculate_gain
from asg.nn.init.scaled import fans as fans
from asg.nn.init.scaled import kaiming_normal as kaiming_normal
from asg.nn.init.scaled import kaiming_uniform as kaiming_uniform
from asg.nn.init.scaled import lecun_normal as lecun_normal
from asg.nn.init.scaled import lecun_uniform as lecun_uniform
from asg.nn.init.scaled import xavier_normal as xavier_normal
from asg.nn.init.scaled import xavier_uniform as xavier_uniform
from asg.nn.init.structured import dirac as dirac
from asg.nn.init.structured import eye as eye
from asg.nn.init.structured import orthogonal as orthogonal
from asg.nn.init.structured import sparse as sparse

glorot_normal = xavier_normal
glorot_uniform = xavier_uniform
he_normal = kaiming_normal
he_uniform = kaiming_uniform
identity = eye
