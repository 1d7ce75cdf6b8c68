"""Libraries that only an extra of this package brings, imported where they are used."""

from importlib import import_module
from typing import Any

from .errors import ExtraMissing

_DISTRIBUTIONS = {"top": "rich", "metrics": "prometheus-client", "report": "plotly", "numpy": "numpy"}


def need(module: str, extra: str) -> Any:
    """The third-party ``module``, such as ``rich.table``. Raises ExtraMissing."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ExtraMissing(
            "this needs %s, which cannot be imported here (%s): pip install 'retrans_ctypes[%s]'" % (
                _DISTRIBUTIONS[extra], error, extra)) from error


def there(module: str) -> bool:
    """Whether ``module`` can be imported here."""
    try:
        import_module(module)
    except ImportError:
        return False
    return True
