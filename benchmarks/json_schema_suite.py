"""Judge our JSON Schema by the JSON-Schema-Test-Suite, each schema in a file of its own beside an OpenAPI document.

    python benchmarks/json_schema_suite.py [--folder FOLDER] [--list] [--strict] [DRAFT...]

FOLDER is an unpacked copy of the suite (with `tests` and `remotes`); without it the sdist of `jsonschema`, which holds
the suite, is downloaded by pip. Prints passed and failed of each draft; `--list` names what failed, and why.
"""

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

from contracts.errors import BulkproofError
from contracts.openapi.loading import LoadOptions, load
from contracts.openapi.validation import validate_value

VERSIONS = {"draft2020-12": "3.1.0", "draft2019-09": "3.1.0", "draft7": "3.1.0", "draft6": "3.1.0", "draft4": "3.0.3"}
DOCUMENT = {
    "info": {"title": "Suite", "version": "1"},
    "paths": {},
    "components": {"schemas": {"Case": {"$ref": "schema.json"}}},
}
SOURCE = "jsonschema"


def downloaded(folder):
    """Return the suite in the source distribution of `jsonschema`."""
    command = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", folder, SOURCE)
    subprocess.run(command, check=True)
    with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(Path(folder).glob("jsonschema-*/json"))


def contract_of(schema, folder, version, remotes, *, strict):
    """Return the loaded contract whose schema `Case` is this one."""
    (folder / "schema.json").write_text(json.dumps(schema))
    (folder / "api.json").write_text(json.dumps({"openapi": version, **DOCUMENT}))
    options = LoadOptions(ref_map={"http://localhost:1234/": remotes}, strict=strict)
    return load(folder / "api.json", options=options)


def verdicts(suite, draft, folder, *, strict):
    """Yield the file, the description and the result of each test: passed, wrong, or why it is refused."""
    for file in sorted((suite / "tests" / draft).glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            try:
                contract = contract_of(case["schema"], folder, VERSIONS[draft], suite / "remotes", strict=strict)
                schema = contract.schemas.schema("contract:/api/api.json#/components/schemas/Case")
            except BulkproofError as error:
                yield from ((file.stem, case["description"], f"refused: {error}") for _ in case["tests"])
                continue
            for test in case["tests"]:
                is_valid = schema.is_valid(test["data"])
                if is_valid is bool(validate_value(schema, test["data"])):
                    result = "the explanation disagrees"
                else:
                    result = "passed" if is_valid is test["valid"] else "wrong"
                yield file.stem, f"{case['description']}: {test['description']}", result


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("drafts", nargs="*", default=["draft2020-12", "draft4", "draft7"])
    options.add_argument("--folder", type=Path)
    options.add_argument("--list", action="store_true")
    options.add_argument("--strict", action="store_true", help="refuse what is mended otherwise")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        suite = given.folder or downloaded(temporary)
        for draft in given.drafts:
            found = [*verdicts(suite, draft, Path(temporary), strict=given.strict)]
            passed = sum(result == "passed" for _, _, result in found)
            kinds = Counter(result.partition(":")[0] for _, _, result in found if result != "passed")
            print(f"{draft}: {passed} of {len(found)} passed", *(f"{n} {kind}" for kind, n in kinds.items()), sep=", ")
            for file, about, result in found if given.list else ():
                if result != "passed":
                    print(f"  {file}: {about}: {result}"[:300])


if __name__ == "__main__":
    main()
