"""Powers, logarithms, signs and neighbours of floats."""

from __future__ import annotations

import numpy as np

from asg.ops import floats as ops

from ..kernel import register_ufunc

register_ufunc(ops.Exp2, np.exp2)
register_ufunc(ops.Log10, np.log10)
register_ufunc(ops.Cbrt, np.cbrt)
register_ufunc(ops.Signbit, np.signbit)
register_ufunc(ops.Nextafter, np.nextafter)
