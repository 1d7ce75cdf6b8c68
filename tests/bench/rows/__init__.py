"""All that is measured, in the order of the table."""
from typing import List

from ..row import Measurement
from . import connections, following, kernel_cost, process, ring

ALL: List[Measurement] = kernel_cost.ALL + ring.ALL + following.ALL + process.ALL + connections.ALL
