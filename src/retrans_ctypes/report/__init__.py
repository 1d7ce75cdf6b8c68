"""A report of a recording: what happened, when, to whom, why, what it cost, and what is not known.

    from retrans_ctypes.recording import open_recording
    from retrans_ctypes.report import Gathered, facts

    with open_recording("retrans.db") as recording:
        gathered = Gathered()
        gathered.add_all(recording.runs())
        print(facts(gathered, recording.sessions)["total"]["segments"])

docs/report.md has what facts() gives.
"""

from .facts import facts
from .gathering import Gathered
from .rendering import FORMATS, render

__all__ = ["FORMATS", "Gathered", "facts", "render"]
