"""Pictures of graphs; imported as `asg.visualizer`. It reads only the document of `asg.describe`.

Like `asg.backends` it refuses to be imported by its folder's name, so that it exists only once.
"""

if __name__ != "asg.visualizer":
    raise ImportError(
        f"this package was imported as {__name__!r}; write `import asg.visualizer` instead",
        name=__name__,
    )

from .render import render as render
from .render import svg as svg
