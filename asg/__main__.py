"""``python -m asg`` is the command line."""

import sys

from asg.cli.main import main

sys.exit(main())
