"""Comparisons, tests of floats, logic and bits."""

from __future__ import annotations

import numpy as np

from asg.ops import compare as ops

from ..kernel import register_ufunc

register_ufunc(ops.Equal, np.equal)
register_ufunc(ops.NotEqual, np.not_equal)
register_ufunc(ops.Less, np.less)
register_ufunc(ops.LessEqual, np.less_equal)
register_ufunc(ops.Greater, np.greater)
register_ufunc(ops.GreaterEqual, np.greater_equal)
register_ufunc(ops.IsNan, np.isnan)
register_ufunc(ops.IsInf, np.isinf)
register_ufunc(ops.IsFinite, np.isfinite)
register_ufunc(ops.LogicalAnd, np.logical_and)
register_ufunc(ops.LogicalOr, np.logical_or)
register_ufunc(ops.LogicalXor, np.logical_xor)
register_ufunc(ops.LogicalNot, np.logical_not)
register_ufunc(ops.BitwiseAnd, np.bitwise_and)
register_ufunc(ops.BitwiseOr, np.bitwise_or)
register_ufunc(ops.BitwiseXor, np.bitwise_xor)
register_ufunc(ops.BitwiseInvert, np.invert)
register_ufunc(ops.BitwiseLeftShift, np.left_shift)
register_ufunc(ops.BitwiseRightShift, np.right_shift)
