"""The yardstick itself: it must notice what the SDK would let pass."""

import pytest
from models import documented_types, problems
from tencentcloud.billing.v20180709 import models

GOOD = {name: None for name in documented_types(models.DescribeRenewInstancesResponse)}


@pytest.mark.parametrize(("change", "expected"), [
    ({}, 0),
    ({"Colour": "red"}, 1),
    ({"NextToken": 5}, 1),
    ({"InstanceList": {}}, 1),
    ({"InstanceList": [{**dict.fromkeys(documented_types(models.RenewInstance)), "RenewPeriod": "1"}]}, 1),
    ({"InstanceList": [{**dict.fromkeys(documented_types(models.RenewInstance)), "Colour": "red"}]}, 1),
])
def test_unknown_fields_and_wrong_types_are_seen(change, expected):
    assert len(problems(models, models.DescribeRenewInstancesResponse, {**GOOD, **change}, "answer")) == expected


def test_a_missing_field_is_seen():
    assert problems(models, models.CreateInstanceResponse, {"OrderId": "1"}, "answer")
