"""Presets: each has a case, fits its operation by rule, and is a whole declaration; what is said where one does not."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from contracts.errors import ContractError
from contracts.openapi.loading import LoadOptions, load
from contracts.openapi.presets import presets

CASES = Path(__file__).parents[2] / "cases" / "presets"
ZALANDO = yaml.safe_load((CASES / "zalando-207.yaml").read_text())
BULK = ("paths", "/parcels/batch", "post")


def written(folder, document):
    path = folder / "api.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def changed(**members):
    """Return the document of zalando-207 whose bulk operation has other members; None takes one out."""
    document = deepcopy(ZALANDO)
    operation = document["paths"]["/parcels/batch"]["post"]
    operation.update(members)
    document["paths"]["/parcels/batch"]["post"] = {name: one for name, one in operation.items() if one is not None}
    return document


def faults(folder, document, *names):
    with pytest.raises(ContractError) as caught:
        load(written(folder, document), options=LoadOptions(presets=names))
    return [str(fault) for fault in caught.value.faults]


def test_every_preset_has_a_document_with_its_cases():
    assert {path.stem for path in CASES.glob("*.yaml")} == {path.stem for path in CASES.glob("*.case")} == {*presets()}


@pytest.mark.parametrize("name", presets())
def test_a_preset_finds_its_operation(tmp_path, name):
    """The document without `x-bulk` and with `--preset` means what the document with the preset by name means."""
    document = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    for item in document["paths"].values():
        for operation in item.values():
            declared = operation.pop("x-bulk", {}) if isinstance(operation, dict) else {}
            if declared.keys() - {"preset"}:
                pytest.skip("its operation says more than the preset")
    found = load(written(tmp_path, document), options=LoadOptions(presets=(name,)))
    named = load(CASES / f"{name}.yaml")
    assert {one.id: one.bulk for one in found.operations} == {one.id: one.bulk for one in named.operations}
    assert any(one.bulk for one in found.operations)


def test_own_members_go_before_those_of_the_preset(tmp_path):
    """They are a merge patch: objects are merged, null takes a member out."""
    own = {"preset": "zalando-207", "items": {"max": 5}, "order": None, "reply": {"status": {"allOk": 200}}}
    bulk = load(written(tmp_path, changed(**{"x-bulk": own}))).operation("createParcels").bulk
    assert (bulk.items.at, bulk.items.min, bulk.items.max, bulk.order.run) == ("", 1, 5, "any")
    assert bulk.reply.status == {"allOk": 200, "someFailed": 207, "allFailed": 207}
    assert bulk.effect.like == ("createParcel",)


def test_an_operation_without_an_id_can_be_meant(tmp_path):
    document = deepcopy(ZALANDO)
    del document["paths"]["/parcels"]["post"]["operationId"]
    bulk = load(written(tmp_path, document)).operation("createParcels").bulk
    assert bulk.effect.like == ("postParcels",)


def test_what_an_operation_declares_itself_is_left_alone(tmp_path):
    declared = {**presets()["zalando-207"]["x-bulk"], "items": {"at": "", "max": 7}}
    document = changed(**{"x-bulk": declared})
    contract = load(written(tmp_path, document), options=LoadOptions(presets=("zalando-207",)))
    assert contract.operation("createParcels").bulk.items.max == 7


def test_an_unknown_preset_is_refused_with_its_place(tmp_path):
    says = "there is no preset 'zalando-206'. Did you mean 'zalando-207'?"
    at = "/paths/~1parcels~1batch/post/x-bulk/preset"
    assert faults(tmp_path, changed(**{"x-bulk": {"preset": "zalando-206"}})) == [f"api.yaml#{at}: {says}"]
    assert faults(tmp_path, ZALANDO, "zalando-206") == [f"api.yaml: {says}"]


def test_a_preset_that_fits_nothing_is_refused(tmp_path):
    found = faults(tmp_path, changed(**{"x-bulk": None}), "aws-batch")
    fact = "no operation fits the preset 'aws-batch': its method is POST and its body has 'Entries'."
    assert found == [f"api.yaml#/paths: {fact} Write 'x-bulk: {{preset: aws-batch}}' on the operation, by an overlay."]


def test_a_mistake_beside_a_preset_is_found(tmp_path):
    found = faults(tmp_path, changed(**{"x-bulk": {"preset": "zalando-207", "itms": {}}}))
    assert found == ["api.yaml#/paths/~1parcels~1batch/post/x-bulk: 'itms' is not known here. Did you mean 'items'?"]
