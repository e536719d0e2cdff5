"""Files that spare work: entries on disk under keys, which may be lost at any time."""
