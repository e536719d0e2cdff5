"""Names of `asg` that most programs do without: a step is built and run with none of them.

`asg/__init__.py` loads what a name needs when it is used, and `asg/core/registry.py` all of this
when a function is asked for by a name that is not known yet.
"""

from asg import describe as describe
from asg import metrics as metrics
from asg.autodiff.audit import audit as audit
from asg.autodiff.jacobians import hessian as hessian
from asg.autodiff.jacobians import jacobian as jacobian
from asg.core.parse import parse as parse
