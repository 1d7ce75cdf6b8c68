"""All that is measured, in the order of the table."""
from typing import List

from ..row import Measurement
from . import connections, flood, following, growth, kernel_cost, process, ring

ALL: List[Measurement] = (kernel_cost.ALL + ring.ALL + following.ALL + flood.ALL + process.ALL + connections.ALL
                          + growth.ALL)
