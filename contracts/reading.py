"""Reading YAML and JSON files into plain JSON values; what cannot be read is one Fault."""

from pathlib import Path

from contracts.errors import Fault
from contracts.jsontext import JsonFault, read_json
from contracts.yamltext import MAX_DEPTH, YamlError, parse_yaml


class UnreadableError(Exception):
    """A file that cannot be read; carries its fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


def read_document(path: Path, *, shown: str) -> object:
    """Return the JSON value of a YAML or JSON file. `shown` is the file's name in faults.

    Raises UnreadableError: no such file, a directory, not UTF-8, neither YAML nor JSON, or too large with its aliases.
    """
    return parse_document(read_text(path, shown=shown), shown=shown)


def read_text(path: Path, *, shown: str) -> str:
    """Return the text of a UTF-8 file. Raises UnreadableError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        fact, cure = "there is no such file.", "Check the name and the folder."
    except IsADirectoryError:
        fact, cure = "this is a directory.", "Name the OpenAPI document inside it."
    except UnicodeDecodeError as error:
        fact, cure = f"byte {error.start} is not UTF-8.", "Save the file as UTF-8."
    except (OSError, ValueError) as error:
        fact, cure = f"it cannot be read: {getattr(error, 'strerror', None) or error}.", "Check its permissions."
    raise _unreadable(shown, fact, cure)


def parse_document(text: str, *, shown: str) -> object:
    """Return the JSON value of YAML or JSON text; a name that ends in `.json` makes it JSON. Raises UnreadableError."""
    if shown.lower().endswith(".json") or text.lstrip()[:1] in {"{", "["}:
        value = read_json(text.encode("utf-8", "surrogatepass"), max_depth=MAX_DEPTH)
        if not isinstance(value, JsonFault):
            return value
        if shown.lower().endswith(".json"):
            raise _unreadable(shown, f"line {value.line}, column {value.column}: {value.detail}", "Mend the JSON.")
    try:
        return parse_yaml(text)
    except YamlError as error:
        raise _unreadable(shown, str(error), "Mend the YAML.") from None


def _unreadable(shown: str, fact: str, cure: str) -> UnreadableError:
    return UnreadableError(Fault(file=shown, pointer="", fact=fact, cure=cure))
