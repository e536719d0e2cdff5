"""Trigonometry: NumPy has a function for each."""

from __future__ import annotations

import numpy as np

from asg.ops import trigonometry as ops

from ..kernel import register_ufunc

register_ufunc(ops.Tan, np.tan)
register_ufunc(ops.Asin, np.arcsin)
register_ufunc(ops.Acos, np.arccos)
register_ufunc(ops.Atan, np.arctan)
register_ufunc(ops.Sinh, np.sinh)
register_ufunc(ops.Cosh, np.cosh)
register_ufunc(ops.Asinh, np.arcsinh)
register_ufunc(ops.Acosh, np.arccosh)
register_ufunc(ops.Atanh, np.arctanh)
register_ufunc(ops.Hypot, np.hypot)
register_ufunc(ops.Atan2, np.arctan2)
