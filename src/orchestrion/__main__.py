"""`python -m orchestrion`."""

import sys

from orchestrion.cli.main import main

sys.exit(main())
