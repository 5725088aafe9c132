"""``python -m msgtrack.cli``."""

import sys

from msgtrack.cli import main

sys.exit(main())
