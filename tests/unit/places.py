"""Where the repository's parts are."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
NATIVE = os.path.join(REPOSITORY, "native")
