"""Values computed in place of the variables of a module."""

from asg.nn.utils.parametrization import Parametrization as Parametrization
from asg.nn.utils.parametrization import is_parametrized as is_parametrized
from asg.nn.utils.parametrization import register_parametrization as register_parametrization
from asg.nn.utils.parametrization import remove_parametrizations as remove_parametrizations
from asg.nn.utils.spectral_norm import spectral_norm as spectral_norm
from asg.nn.utils.weight_norm import weight_norm as weight_norm
