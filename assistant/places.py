"""Where the program keeps things: sessions and settings of the user."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The user's data folder for this program; NN_DOCTOR_HOME overrides it."""
    if home := os.environ.get("NN_DOCTOR_HOME"):
        return Path(home).expanduser()
    from platformdirs import user_data_path

    return user_data_path("nn-doctor", appauthor=False)


def config_folder() -> Path:
    """The user's settings; a folder `kb` in it is an overlay of the knowledge base."""
    if home := os.environ.get("NN_DOCTOR_HOME"):
        return Path(home).expanduser()
    from platformdirs import user_config_path

    return user_config_path("nn-doctor", appauthor=False)
