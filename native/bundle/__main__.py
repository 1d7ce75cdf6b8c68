# SPDX-License-Identifier: BSD-2-Clause
"""Starts the package that lies beside this file, in a folder or in a zip file. Any Python reads it."""
import os
import sys

if sys.version_info < (3, 6):
    sys.stderr.write("retrans: this is Python %d.%d, and 3.6 or later is needed: start it with another,"
                     " or name one in RETRANS_PYTHON\n" % sys.version_info[:2])
    sys.exit(127)

if os.path.isdir(sys.argv[0]):  # started by the script 'retrans' beside this folder
    sys.argv[0] = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "retrans")

from retrans_ctypes.__main__ import main  # noqa: E402  (not before the version is known to do)

sys.exit(main())
