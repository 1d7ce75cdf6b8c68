"""Where things are: all that is made or fetched lies below native/build."""
import os

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(REPOSITORY, "native", "scripts")
BUILD = os.path.join(REPOSITORY, "native", "build")
WORK = os.path.join(BUILD, "vm")                # images, apt's lists, results
CACHE = os.path.abspath(os.environ.get("RETRANS_KERNEL_CACHE") or os.path.join(BUILD, "kernels"))
PYTHON_PATH = [os.path.join(REPOSITORY, "src"), os.path.join(REPOSITORY, "tests")]
