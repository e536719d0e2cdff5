"""The executors of asg, one folder each; imported as `asg.backends`, by name, when first asked for.

A second copy of these modules under another name would carry a second set of kernel tables, so
this package refuses to be imported as plain `backends`.
"""

if __name__ != "asg.backends":
    raise ImportError(
        f"this package was imported as {__name__!r}; write `import asg.backends` instead",
        name=__name__,
    )
