from __future__ import annotations

import pytest
from small_world import small_world

from assistant.engine.choose import World


@pytest.fixture
def world() -> World:
    return small_world()
