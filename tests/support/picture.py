"""Makes the picture of the README: a real conversation on the dead-relu demo, on the real screen.

python tests/support/picture.py .github/screenshot.svg
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from assistant.tui.app import DoctorApp
from assistant.tui.content import Page
from probes.demos import demos, make


async def picture(out: Path) -> None:
    """Drive the screen and save what it shows."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NN_DOCTOR_HOME"] = folder
        run = make("dead-relu", Path(folder) / "dead-relu")
        names = {"target": str(run / "model.py"), "python": None, "kb": [], "trust": False, "resume": None}
        app = DoctorApp(argparse.Namespace(paths=[str(run)], say=demos()["dead-relu"].complaint, **names))
        async with app.run_test(size=(118, 40)) as pilot:
            for _ in range(1200):
                await pilot.pause(0.05)
                if app.consult is not None and app.consult.session.closed:
                    break
            talk = app.query_one("#talk")
            pages = [w for w in talk.children if isinstance(w, Page)]
            title = next(p for p in pages if "Dead ReLU units: confirmed" in getattr(p.blocks[0], "text", ""))
            talk.release_anchor()
            talk.scroll_to_widget(title, animate=False, top=True, force=True)
            await pilot.pause(0.5)
            drawn = app.export_screenshot(title="nn-doctor demo dead-relu", simplify=True)
    # The font comes from a web server; without the rule the reader's own monospace font is used.
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(re.sub(r"@font-face\s*\{.*?\}", "", drawn, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(picture(Path(sys.argv[1])))
