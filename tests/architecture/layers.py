"""The table of who may import whom. A change of the architecture is a change of these lines."""

# Each folder may import the rows above it in this list; folders of one row do not know each other.
ROWS = (
    ("asg.core",),
    ("asg.ops",),
    ("asg.autodiff", "asg.rewrite", "asg.analysis"),
    ("asg.passes",),
    ("asg.state",),
    ("asg.compiler",),
    ("asg.nn", "asg.optim", "asg.metrics", "asg.describe"),
    ("asg.train", "asg.io", "asg.testing"),
    ("asg.generation",),
)
# The settings, which everyone may read.
SHARED = frozenset({"asg.config"})
# Folders beside the rows, with all they may use. Of a backend's folder, only its own name is open.
BESIDE: dict[str, frozenset[str]] = {
    "asg._checkout": frozenset(),
    "asg.config": frozenset({"asg.core"}),  # its errors
    # Its errors and logs, and files that are written wholly or not at all; none knows a graph.
    "asg.cache": frozenset({"asg.core.errors", "asg.core.log", "asg.io.atomic"}),
    "asg.data": frozenset({"asg.cache", "asg.core.errors", "asg.io.atomic"}),
    "asg.backends": frozenset(
        {
            *("asg.core", "asg.ops", "asg.analysis"),
            *("asg.rewrite", "asg.passes", "asg.compiler.backend", "asg.cache"),
            "asg.io.atomic",  # exported programs
        }
    ),
    "asg.visualizer": frozenset({"asg.describe", "asg.core.errors", "asg.io.atomic"}),
}
# What a folder may use over and above its row: training reads data sets and writes its results,
# and what was compiled is kept.
ALSO = {
    "asg.train": frozenset({"asg.data", "asg.io"}),
    "asg.compiler": frozenset({"asg.cache"}),
}

# A folder that is the face asg has for users of a library, and may name it, too.
FACES = {"sklearn": "asg.sklearn"}
# The one folder that may name a library; all others reach the library through that folder.
OWNERS = {
    "jax": "asg.backends.jax_xla",
    "jaxlib": "asg.backends.jax_xla",
    "onnx": "asg.io.onnx",
    "graphviz": "asg.visualizer",
    "pygraphviz": "asg.visualizer",
    "sklearn": "asg.data",
    "pooch": "asg.data",
    "PIL": "asg.data",
    "tokenizers": "asg.data",
    "huggingface_hub": "asg.io",
    "tensorboardX": "asg.train",
}
# So slow to import that even the owner does so inside the function that needs it.
ALWAYS_LAZY = frozenset(
    {"sklearn", "pooch", "PIL", "tokenizers", "huggingface_hub", "tensorboardX"}
)


def _allowed() -> dict[str, frozenset[str]]:
    table = dict(BESIDE)
    below: frozenset[str] = frozenset()
    for row in ROWS:
        table |= {folder: below | ALSO.get(folder, frozenset()) for folder in row}
        below |= frozenset(row)
    everything = below | {"asg.cache", "asg.data", "asg._checkout", "asg.cli", "asg"}
    return table | dict.fromkeys(("asg.cli", "asg.sklearn", "asg"), everything)


# For each folder, the folders and single modules it may import. "asg" is the files directly in it.
ALLOWED = _allowed()


def folder_of(module: str) -> str:
    """The folder a module of asg belongs to; every backend is a folder of its own."""
    parts = module.split(".")
    if parts[:2] == ["asg", "backends"]:
        return ".".join(parts[:3])
    folder = ".".join(parts[:2])
    return folder if folder in ALLOWED else "asg"


def may_import(importer: str, target: str) -> bool:
    """Whether the table lets module `importer` use module `target`, both of asg."""
    folder, used = folder_of(importer), folder_of(target)
    row = "asg.backends" if folder.startswith("asg.backends") else folder
    return used == folder or not {used, target}.isdisjoint(ALLOWED[row] | SHARED)
