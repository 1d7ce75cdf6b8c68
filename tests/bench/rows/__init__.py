"""All that is measured, in the order of the table."""
from typing import List

from ..row import Measurement
from . import kernel_cost

ALL: List[Measurement] = kernel_cost.ALL
