"""The op library: importing this package registers every op and op function."""

from asg.ops import leaf as leaf
