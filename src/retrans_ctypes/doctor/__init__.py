"""Whether one can trace here, how well, and what would make it better.

    from retrans_ctypes.doctor import examine

    report = examine()
    print(report.verdict.level, [str(lack) for lack in report.verdict.lacks])
"""

from .report import Report, examine
from .verdict import EXIT_CODES, Lack, Verdict

__all__ = ["EXIT_CODES", "Lack", "Report", "Verdict", "examine"]
