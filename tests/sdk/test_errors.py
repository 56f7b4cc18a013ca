"""Every error code the simulator gives by itself, as the SDK sees it."""

import pytest
from simulator import PRODUCT, control_error
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from test_actions import WIDE


def code(act):
    with pytest.raises(TencentCloudSDKException) as caught:
        act()
    assert caught.value.requestId
    return caught.value.code


def refused(cloud, action, **parameters):
    answer = code(lambda: cloud.call(action, **parameters))
    assert cloud.requests()[-1]["outcome"] == answer
    return answer


def test_a_wrong_key_is_told_from_an_unknown_one(cloud):
    client = cloud.client("DescribeAccountBalance", secret_key="wrong")
    assert code(lambda: cloud.call("DescribeAccountBalance", client)) == "AuthFailure.SignatureFailure"
    cloud.secret_id = "AKIDnobody"
    assert code(lambda: cloud.call("DescribeAccountBalance")) == "AuthFailure.SecretIdNotFound"


@pytest.mark.parametrize("skew", [-400, 400])
def test_a_skewed_clock_is_refused_and_seen_in_the_date(cloud, skew):
    cloud.put("clock", {"skew_seconds": skew})
    assert code(lambda: cloud.call("DescribeAccountBalance")) == "AuthFailure.SignatureExpire"


@pytest.mark.parametrize("skew", [-280, 280])
def test_a_little_skew_is_tolerated(cloud, skew):
    cloud.put("clock", {"skew_seconds": skew})
    cloud.call("DescribeAccountBalance")


def test_a_temporary_credential_needs_its_token_and_its_time(cloud):
    key = {"secret_id": cloud.secret_id, "secret_key": cloud.secret_key, "token": "session"}
    cloud.settings(keys=[key])

    def call(token):
        return cloud.call("DescribeAccountBalance", cloud.client("DescribeAccountBalance", token=token))

    call("session")
    assert code(lambda: call("other")) == "AuthFailure.TokenFailure"
    assert code(lambda: call(None)) == "AuthFailure.TokenFailure"
    cloud.settings(keys=[{**key, "expires": "2020-01-01T00:00:00Z"}])
    assert code(lambda: call("session")) == "AuthFailure.TokenFailure"


def test_an_unsigned_payload_is_accepted(cloud):
    client = cloud.client("DescribeAccountBalance")
    client.profile.unsignedPayload = True
    cloud.call("DescribeAccountBalance", client)


def test_an_account_that_has_not_signed_up_or_is_not_approved(cloud):
    cloud.settings(signed_up=False)
    assert refused(cloud, "DescribeConcurrentPackages") == "OperationDenied"
    assert refused(cloud, "CreateInstance", **cloud.purchase()) == "OperationDenied"
    cloud.settings(signed_up=True, approved=False)
    assert refused(cloud, "DescribeConcurrentPackages") == "UnauthorizedOperation"
    assert refused(cloud, "CreateInstance", **cloud.purchase()) == "FailedOperation.dealCreateWhitelistError"
    cloud.settings(approved=True, certified=False)
    assert refused(cloud, "CreateInstance", **cloud.purchase()) == "UnauthorizedOperation.NotCertification"


def test_denied_actions(cloud):
    cloud.settings(denied_actions=["CreateInstance", "car:*"])
    assert refused(cloud, "CreateInstance", **cloud.purchase()) == "UnauthorizedOperation.CamNoAuth"
    assert refused(cloud, "DescribeConcurrentSummary") == "AuthFailure.UnauthorizedOperation"
    cloud.call("DescribeAccountBalance")


@pytest.mark.parametrize(("changes", "expected"), [
    ({"ProductCode": "p_waf"}, "UnsupportedOperation"),
    ({"SubProductCode": "sp_waf"}, "UnsupportedOperation"),
    ({"RegionCode": "ap-nowhere"}, "FailedOperation.GetPriceParamError"),
    ({"detail": {"ConcurrentType": "XXL"}}, "FailedOperation.GetPriceParamError"),
    ({"RegionCode": ""}, "InvalidParameterValue"),
    ({"ZoneCode": ""}, "InvalidParameterValue"),
    ({"PayMode": "PostPay"}, "InvalidParameterValue"),
    ({"Quantity": 0}, "InvalidParameterValue"),
    ({"Quantity": 101}, "FailedOperation.NumLimitError"),
    ({"Period": 0}, "InvalidParameterValue"),
    ({"Period": 37}, "InvalidParameterValue"),
    ({"PeriodUnit": "h"}, "InvalidParameterValue"),
    ({"RenewFlag": "SOMETIMES"}, "InvalidParameterValue"),
    ({"RenewFlag": "NOTIFY_AND_AUTO_RENEW"}, "InvalidParameterValue"),
    ({"Parameter": "{"}, "InvalidParameter.ApiParamError"),
    ({"Parameter": "{}"}, "InvalidParameter.ApiParamError"),
    ({"detail": {"Colour": "red"}}, "InvalidParameter.ApiParamError"),
    ({"detail": {"Name": ""}}, "InvalidParameterValue"),
    ({"detail": {"ApplicationType": "Cloud2D"}}, "InvalidParameterValue"),
    ({"detail": {"ProjectId": "cap-none"}}, "InvalidParameterValue"),
    ({"ClientToken": ""}, "InvalidParameterValue"),
    ({"ClientToken": "x" * 65}, "InvalidParameterValue"),
    ({"ClientToken": "é"}, "InvalidParameterValue"),
    ({"ClientToken": None}, "MissingParameter"),
    ({"ZoneCode": None}, "MissingParameter"),
    ({"Parameter": None}, "MissingParameter"),
    ({"Quantity": "1"}, "InvalidParameter"),
])
def test_a_purchase_that_is_refused_costs_nothing(cloud, changes, expected):
    assert refused(cloud, "CreateInstance", **cloud.purchase(**changes)) == expected
    assert cloud.ledger() == []
    assert cloud.call("DescribeConcurrentPackages").Total == 0


def test_an_unknown_parameter_action_and_version(cloud):
    client = cloud.client("CreateInstance")
    assert code(lambda: client.call_json("DescribeAccountBalance", {"Colour": "red"})) == "UnknownParameter"
    assert code(lambda: client.call_json("DescribeWeather", {})) == "InvalidAction"
    client._apiVersion = "1999-01-01"
    assert code(lambda: client.call_json("DescribeAccountBalance", {})) == "NoSuchVersion"


def test_too_little_money(cloud):
    cloud.settings(balance_cents=7_999)
    purchase = cloud.purchase(Quantity=2)
    assert refused(cloud, "CreateInstance", **purchase) == "FailedOperation.BalanceInsufficient"
    id = cloud.buy()[0]
    renewal = {"ClientToken": "r", **PRODUCT, "InstanceId": id, "PeriodUnit": "d"}
    assert refused(cloud, "RenewInstance", **renewal) == "FailedOperation.BalanceInsufficient"
    assert len(cloud.ledger()) == 1


def test_the_product_or_the_unit_or_the_extension_is_not_offered(cloud):
    id = cloud.buy(Period=9)[0]
    renewal = {"ClientToken": "r", **PRODUCT, "InstanceId": id}
    assert refused(cloud, "RenewInstance", **renewal, PeriodUnit="m") == "InvalidParameterValue"
    cloud.settings(daily_renewal=False)
    assert refused(cloud, "RenewInstance", **renewal, PeriodUnit="d") == "UnsupportedOperation"
    cloud.settings(day_unit=False)
    assert refused(cloud, "CreateInstance", **cloud.purchase()) == "InvalidParameterValue"
    cloud.settings(api_purchase=False)
    assert refused(cloud, "CreateInstance", **cloud.purchase(PeriodUnit="m")) == "UnsupportedOperation"


def test_an_expired_instance(cloud):
    id, project = cloud.buy(Period=1)[0], cloud.project()
    cloud.advance(hours=24)
    row = cloud.call("DescribeRenewInstances", MaxResults=1).InstanceList[0]
    assert (row.InstanceId, row.Status) == (id, "ISOLATED")
    renewal = {"ClientToken": "r", **PRODUCT, "InstanceId": id}
    assert refused(cloud, "RenewInstance", **renewal, PeriodUnit="d") == "FailedOperation.BusinessCheckErrCode"
    assert refused(cloud, "RefundInstance", **renewal) == "FailedOperation.BusinessCheckErrCode"
    bind = {"ConcurrentIds": [id], "ProjectId": project}
    assert refused(cloud, "BindConcurrentPackagesToProject", **bind) == "OperationDenied"
    assert refused(cloud, "ResetConcurrentPackages", ConcurrentPackageIds=[id]) == "OperationDenied"
    cloud.advance(days=8)
    assert cloud.call("DescribeRenewInstances", MaxResults=1).InstanceList == []
    assert refused(cloud, "RenewInstance", **renewal, PeriodUnit="d") == "InvalidParameterValue"


def test_binding_what_cannot_be_bound(cloud):
    id, small, other, large = cloud.buy()[0], cloud.project(), cloud.project(), cloud.project(scale="L1")

    def bind(ids, project):
        return refused(cloud, "BindConcurrentPackagesToProject", ConcurrentIds=ids, ProjectId=project)

    assert bind([id], large) == "FailedOperation"
    assert bind([id], "cap-none") == "InvalidParameterValue"
    assert bind(["cgpack-none"], small) == "InvalidParameterValue"
    assert bind([], small) == "InvalidParameterValue"
    cloud.call("BindConcurrentPackagesToProject", ConcurrentIds=[id], ProjectId=small)
    assert bind([id], other) == "OperationDenied"
    unbind = {"ConcurrentIds": [id], "ProjectId": other}
    assert refused(cloud, "UnbindConcurrentPackagesFromProject", **unbind) == "FailedOperation"
    assert refused(cloud, "DeleteApplicationProjects", ProjectIds=[small]) == "OperationDenied"
    assert refused(cloud, "ModifyApplicationProject", ProjectId=small, Type="L1") == "OperationDenied"
    assert refused(cloud, "ModifyConcurrentPackage", ConcurrentId=id, Name="") == "InvalidParameterValue"
    assert refused(cloud, "DescribeConcurrentCount", ProjectId="cap-none") == "InvalidParameterValue"


@pytest.mark.parametrize(("action", "parameters"), [
    ("DescribeConcurrentPackages", {"Limit": 101}),
    ("DescribeConcurrentPackages", {"Limit": 0}),
    ("DescribeConcurrentPackages", {"Offset": -1}),
    ("DescribeConcurrentPackages", {"Filters": [{"Name": "Colour", "Values": ["red"]}]}),
    ("DescribeApplicationProjects", {"Limit": 101}),
    ("DescribeApplicationProjects", {"Filters": [{"Name": "Colour", "Values": ["red"]}]}),
    ("DescribeRenewInstances", {"MaxResults": 0}),
    ("DescribeRenewInstances", {"MaxResults": 101}),
    ("DescribeRenewInstances", {"MaxResults": 9, "NextToken": "made up"}),
    ("DescribeRenewInstances", {"MaxResults": 9, "ExpireTimeStart": "2026-01-01T00:00:00Z"}),
    ("DescribeRenewInstances", {"MaxResults": 9, "InstanceIdList": ["x"] * 101}),
    ("DescribeDealsByCond", {**WIDE, "Limit": 1001}),
    ("DescribeDealsByCond", {**WIDE, "Limit": 9, "StartTime": "yesterday"}),
    ("DescribeDealsByCond", {"StartTime": WIDE["EndTime"], "EndTime": WIDE["StartTime"], "Limit": 9}),
    ("SetRenewal", {**PRODUCT, "SubProductCode": None, "InstanceId": "x", "RenewFlag": "SOMETIMES"}),
    ("PayDeals", {"OrderIds": ["2020"]}),
])
def test_values_out_of_range(cloud, action, parameters):
    parameters = {name: value for name, value in parameters.items() if value is not None}
    assert refused(cloud, action, **parameters) == "InvalidParameterValue"


def test_orders_that_cannot_be_paid(cloud):
    order = cloud.call("CreateInstance", **cloud.purchase()).OrderId
    assert refused(cloud, "PayDeals", OrderIds=[order]) == "FailedOperation.InvalidDeal"
    assert refused(cloud, "PayDeals") == "InvalidParameter"
    cloud.settings(unpaid_orders=True, balance_cents=0)
    unpaid = cloud.call("CreateInstance", **cloud.purchase()).OrderId
    assert refused(cloud, "PayDeals", OrderIds=[unpaid]) == "FailedOperation.BalanceInsufficient"


def test_the_rate_limit_is_for_each_action(cloud):
    cloud.settings(rate_limit_per_second=2)
    cloud.call("DescribeAccountBalance")
    cloud.call("DescribeAccountBalance")
    assert refused(cloud, "DescribeAccountBalance") == "RequestLimitExceeded"
    cloud.call("DescribeConcurrentSummary")


def test_bad_control_requests_say_what_is_wrong(cloud):
    assert control_error(lambda: cloud.put("clock", {"hands": 3}))[0] == 400
    assert control_error(lambda: cloud.put("clock", {"now": "2000-01-01T00:00:00Z"}))[0] == 400
    assert control_error(lambda: cloud.post("clock/advance", {"seconds": -1}))[0] == 400
    assert control_error(lambda: cloud.fault("*", {"kind": "earthquake"}))[0] == 400
    assert control_error(lambda: cloud.settings(colour="red"))[0] == 400
    assert control_error(lambda: cloud.get("accounts/nobody"))[0] == 404
    assert control_error(lambda: cloud.get("nothing"))[0] == 404
    assert control_error(lambda: cloud.post("console/dance"))[0] == 404
    status, text = control_error(lambda: cloud.post("console/renew", {"id": "cgpack-none", "duration": 1}))
    assert (status, text) == (404, 'there is no instance "cgpack-none"')
