"""How arrays are called that are a layer's weights, where nothing else tells weights from data."""

from __future__ import annotations

import re

LAYER = re.compile(
    r"(^|[._/ ])(weights?|biases|bias|kernel|gamma|beta|running_(mean|var)|w|b|[wb]\d+)(:\d+)?$"
    r"|[._/](scale|embedding)$",
    re.I,
)
