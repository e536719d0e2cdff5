"""asg: a static-graph (define-then-run) compiler for tensor programs."""

from asg import _checkout as _checkout

__version__ = "0.1.0"
