"""Write `bugs.md` from the table of planted bugs; a test checks that it is current.

Run it from anywhere: `python docs/write_bugs.py`.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from mockserver.bugs.table import BUGS

NOTE = "<!-- Written by docs/write_bugs.py; change bugs.head.md or the table of bugs instead. -->\n\n"


def page() -> str:
    """Return the page."""
    head = (HERE / "bugs.head.md").read_text(encoding="utf-8").rstrip()
    rows = [f"| `{bug.name}` | {bug.law} | {bug.description} | {', '.join(bug.needs) or 'nothing'} |" for bug in BUGS]
    return f"{NOTE}{head}\n\n| bug | breaks | what goes wrong | needs |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    (HERE / "bugs.md").write_text(page(), encoding="utf-8")
