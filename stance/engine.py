"""The native engine, where it was built; without it the same is done in Python, slower.

``STANCE_NATIVE=0`` in the environment leaves it aside.
"""

import importlib
import os
import warnings
from typing import Any

#: The module of the native engine, or ``None``.
native: Any = None

if os.environ.get("STANCE_NATIVE") != "0":
    try:
        native = importlib.import_module("stance._native")
    except ImportError as error:
        warnings.warn(
            f"the native engine is missing ({error}): the same numbers come from Python, many "
            "times slower; to build it, install the package again where there is a C++ compiler",
            RuntimeWarning,
            stacklevel=2,
        )
