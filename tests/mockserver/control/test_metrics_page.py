"""`docs/operations.md` names every metric that `/metrics` prints, in a format that Prometheus' own parser reads."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as families

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) ?\| (.+) \|$", re.MULTILINE)
FORMAT = {"le"}  # the label of a bucket is the format's


def test_every_metric_is_explained(serving):
    """The table has each metric with its type and its labels, and none that is not there."""
    client = serving(Path(__file__).parents[1] / "http" / "data" / "things.yaml")
    client.call("POST", "/things/boxes", [{"id": "a"}, {"id": "a"}])
    client.call("GET", '/things/no"n\\e')
    text = client.send("GET", "/metrics").body.decode()
    told = {
        name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels, _ in ROW.findall(PAGE.read_text("utf-8"))
    }
    printed = {}
    for one in families(text):
        name = f"{one.name}_total" if one.type == "counter" else one.name
        printed[name] = (one.type, {label for sample in one.samples for label in sample.labels} - FORMAT)
        assert one.documentation
        assert one.samples, name
    assert printed == told


def test_samples_are_what_was_counted(serving):
    """A histogram's last bucket is its count, no sample is there twice, and every series has all labels."""
    client = serving(Path(__file__).parents[1] / "http" / "data" / "things.yaml")
    client.call("POST", "/things/boxes", [{"id": "a"}, {"id": "a"}])
    for one in families(client.send("GET", "/metrics").body.decode()):
        keys = [(sample.name, *sorted(sample.labels.items())) for sample in one.samples]
        assert len(set(keys)) == len(keys)
        values = {
            (name, tuple(labels)): sample.value for (name, *labels), sample in zip(keys, one.samples, strict=True)
        }
        assert all(value >= 0 for value in values.values())
        for (name, labels), value in values.items():
            if name.endswith("_count"):
                assert value == values[name.replace("_count", "_bucket"), tuple(sorted((*labels, ("le", "+Inf"))))]
