"""What Bulkproof is made of: known vulnerabilities of the lock, an SBOM, and the licences of all that users install.

`python .ci/supply_chain.py` writes `build/sbom.cdx.json` (CycloneDX), and compares the licences with
`docs/licences.md`, which `--write` writes. It needs pip, and makes two virtual environments: one with what users
install with all extras, one with the tools of the extra `audit`. A service of vulnerabilities that cannot be reached
is told, and fails nothing; nobody is told then that there are none.
"""

import json
import subprocess
import sys
import tomllib
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
SBOM = ROOT / "build" / "sbom.cdx.json"
REFUSED = "GNU General Public;GNU Affero;GPL-2;GPL-3;AGPL"
UNREACHED = ("requests.exceptions.", "Could not connect", "Connection timed out", "ConnectionError")
HEAD = """# Licences

Bulkproof is Apache-2.0. These are the licences of all that is installed beside it
with its extras `campaign` and `scale`, as the packages themselves say; nothing of it is part of Bulkproof's own files.
The dashboard has one file of others: htm with Preact, `mockserver/dashboard/static/vendor`, Apache-2.0 and MIT.
Python before 3.12 needs `importlib_metadata` and `zipp`; Windows does without `uvloop`.
Written by `python .ci/supply_chain.py --write`.

"""


def main(arguments: list[str]) -> int:
    """Return the exit status: 1 for a known vulnerability, or for a licence that the page does not list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    everything = [*project["dependencies"], *extras["campaign"], *extras["scale"]]
    with TemporaryDirectory() as work, ThreadPoolExecutor() as pool:
        installing = pool.submit(installed, Path(work) / "users", everything)
        tools = installed(Path(work) / "tools", extras["audit"]).parent
        auditing = pool.submit(audited, tools, Path(work) / "audit.json")
        users = installing.result()
        describing = pool.submit(described, tools, users)
        return max(licensed(tools, users, write="--write" in arguments), auditing.result(), describing.result())


def installed(place: Path, requirements: list[str]) -> Path:
    """Return the interpreter of a new environment with locked requirements."""
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), *requirements], check=True)
    return python


def audited(tools: Path, report: Path) -> int:
    """Ask for known vulnerabilities of every version in the lock; return 1 when there is one."""
    command = [tools / "pip-audit", "-r", ROOT / "constraints.txt", "--no-deps", "--disable-pip", "--timeout", "5"]
    ended = subprocess.run([*command, "-f", "json", "-o", report], check=False, capture_output=True, text=True)
    text = report.read_text("utf-8") if report.exists() else ""
    failed, says = verdict(ended.returncode, text, ended.stderr)
    sys.stdout.write(f"pip-audit: {says}\n")
    return failed


def verdict(status: int, report: str, said: str) -> tuple[int, str]:
    """Return whether the gate fails, and why, from pip-audit's exit status, its report in JSON, and its stderr.

    pip-audit exits with 0 also when it has looked at nothing: what it skipped was not looked at.
    """
    if not report:
        last = said.strip().rpartition("\n")[2]
        if any(one in said for one in UNREACHED):
            return 0, f"NOT CHECKED, the service of vulnerabilities cannot be reached: {last[:300]}"
        return 1, f"it failed with {status}: {last[:300]}"
    every = json.loads(report)["dependencies"]
    skipped = sorted(one["name"] for one in every if "skip_reason" in one)
    known = [f"{one['name']} {one['version']}: {bad['id']}" for one in every for bad in one.get("vulns", ())]
    if known:
        return 1, "known vulnerabilities: " + ", ".join(known)
    if len(skipped) == len(every):
        return 0, f"NOT CHECKED, the service of vulnerabilities knows none of the {len(every)} packages."
    rest = f"; NOT CHECKED: {', '.join(skipped)}" if skipped else ""
    return 0, f"no known vulnerability in {len(every) - len(skipped)} packages{rest}."


def described(tools: Path, users: Path) -> int:
    """Write the SBOM of what users install."""
    SBOM.parent.mkdir(exist_ok=True)
    command = [tools / "cyclonedx-py", "environment", users, "--pyproject", ROOT / "pyproject.toml"]
    options = ["--output-reproducible", "--no-validate"]  # validating takes twenty times as long
    subprocess.run([*command, *options, "-o", SBOM], check=True)
    parts = json.loads(SBOM.read_text("utf-8"))["components"]
    sys.stdout.write(f"SBOM: {len(parts)} components in {SBOM.relative_to(ROOT)}.\n")
    return 0


def licensed(tools: Path, users: Path, *, write: bool) -> int:
    """Compare the licences with the page, or write it; return 1 for one that is not listed, or that is refused."""
    command = [tools / "pip-licenses", "--python", users, "--format", "markdown", "--no-version"]
    ended = subprocess.run(
        [*command, "--partial-match", "--fail-on", REFUSED], check=False, capture_output=True, text=True
    )
    if ended.returncode:
        sys.stdout.write(f"Licences: {ended.stderr.strip()}\n")
        return 1
    if write:
        PAGE.write_text(HEAD + ended.stdout.strip() + "\n", "utf-8")
    missing = unlisted(ended.stdout, PAGE.read_text("utf-8"))
    for row in missing:
        sys.stdout.write(f"Licences: {row} is not in docs/licences.md; run: python .ci/supply_chain.py --write\n")
    sys.stdout.write(f"Licences: {len(rows(ended.stdout))} packages.\n")
    return 1 if missing else 0


def rows(table: str) -> set[str]:
    """Return the rows of a table as `package: licence`."""
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|")
    return {": ".join(row) for row in cells if row[0] != "Name" and row[0].strip("-:")}


def unlisted(table: str, page: str) -> list[str]:
    """Return the rows of a table that a page does not have."""
    return sorted(rows(table) - rows(page))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
