"""``python -m ipseval``."""

import sys

from ipseval.cli import main

sys.exit(main())
