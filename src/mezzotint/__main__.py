"""`python -m mezzotint` is `mezzotint`."""

import sys

from mezzotint.cli.main import main

sys.exit(main())
