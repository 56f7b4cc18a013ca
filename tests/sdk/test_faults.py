"""Faults as the SDK sees them, and what they leave in the ledger."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from simulator import PRODUCT
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.retry import StandardRetryer
from test_actions import WIDE

# Every code the public documents list for the two services, and the common ones: a fault can answer each of them.
CODES = """
AuthFailure AuthFailure.UnauthorizedOperation FailedOperation FailedOperation.AgentPayDealCannotDown
FailedOperation.BalanceInsufficient FailedOperation.BusinessCheckErrCode FailedOperation.DistributeError
FailedOperation.GetPriceParamError FailedOperation.InvalidAppId FailedOperation.InvalidDeal
FailedOperation.InvalidGoodsCategoryId FailedOperation.InvalidVoucher FailedOperation.LockTimeout
FailedOperation.NeedPayTogeter FailedOperation.NeedPayTogether FailedOperation.NumLimitError
FailedOperation.PayPriceError FailedOperation.PaySuccDeliverFailed FailedOperation.ProcessTimeout
FailedOperation.SlowDown FailedOperation.dealCreateWhitelistError InternalError InternalError.DbOperatError
InternalError.GatewayError InternalError.InternalError InternalError.UnknownError InvalidParameter
InvalidParameter.ApiParamError InvalidParameter.InvalidParameter InvalidParameter.JsonParseError
InvalidParameter.ResourceLocked InvalidParameterValue LimitExceeded.Role MissingParameter OperationDenied
RequestLimitExceeded RequestLimitExceeded.GlobalRegionUinLimitExceeded RequestLimitExceeded.UinLimitExceeded
ResourceNotFound.NoIdle ResourceNotFound.SessionNotFound ResourceUnavailable.AccessFailed
ResourceUnavailable.Initialization UnauthorizedOperation.CamNoAuth
UnauthorizedOperation.CertificationNeedUpgrade UnauthorizedOperation.NotCertification UnsupportedOperation
UnsupportedOperation.NOT_SUPPORT_THIS_ACTION UnsupportedOperation.Stopping
""".split()


def failure(act):
    with pytest.raises(TencentCloudSDKException) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize("kind", ["refuse", "commit_then_error"])
@pytest.mark.parametrize("code", CODES)
def test_every_documented_code_can_be_given_before_and_after_the_charge(cloud, code, kind):
    cloud.fault("CreateInstance", {"kind": kind, "code": code}, count=1)
    purchase = cloud.purchase()
    assert failure(lambda: cloud.call("CreateInstance", **purchase)) == code
    assert len(cloud.ledger()) == (kind == "commit_then_error")
    assert len(cloud.call("CreateInstance", **purchase).InstanceIdList) == 1
    assert len(cloud.ledger()) == 1


@pytest.mark.parametrize("commit", [False, True])
@pytest.mark.parametrize("effect", [{"kind": "drop"}, {"kind": "garbage"}, {"kind": "http_status", "status": 503}])
def test_a_spoilt_reply_has_no_code_of_the_cloud(cloud, effect, commit):
    cloud.fault("CreateInstance", {**effect, "commit": commit}, count=1)
    purchase = cloud.purchase()
    with pytest.raises(Exception) as caught:
        cloud.call("CreateInstance", **purchase)
    local = (None, "ClientNetworkError", "ServerNetworkError", "JSONDecodeError", "ChunkedEncodingError")
    assert getattr(caught.value, "code", None) in local
    assert len(cloud.ledger()) == commit
    record = cloud.requests()[-1]
    assert record["outcome"] in ("dropped", "garbage", "http 503") and record["committed"] is commit
    cloud.call("CreateInstance", **purchase)
    assert len(cloud.ledger()) == 1


def test_the_same_token_replays_the_answer_and_other_parameters_are_refused(cloud):
    purchase = cloud.purchase(Quantity=3)
    first, again = cloud.call("CreateInstance", **purchase), cloud.call("CreateInstance", **purchase)
    assert (first.OrderId, first.InstanceIdList) == (again.OrderId, again.InstanceIdList)
    assert first.RequestId != again.RequestId
    assert failure(lambda: cloud.call("CreateInstance", **{**purchase, "Quantity": 4})) == "InvalidParameter"
    renewal = {"ClientToken": "r", **PRODUCT, "InstanceId": first.InstanceIdList[0], "PeriodUnit": "d"}
    renewed = [cloud.call("RenewInstance", **renewal).OrderIdList for _ in range(3)]
    assert renewed[0] == renewed[1] == renewed[2]
    refund = {"ClientToken": "b", **PRODUCT, "InstanceId": first.InstanceIdList[0]}
    assert cloud.call("RefundInstance", **refund).OrderIdList == cloud.call("RefundInstance", **refund).OrderIdList
    assert [entry["action"] for entry in cloud.ledger()] == ["CreateInstance", "RenewInstance", "RefundInstance"]


@pytest.mark.parametrize("handling", ["ignored", "expired"])
def test_a_token_that_is_not_honoured_buys_again(cloud, handling):
    purchase = cloud.purchase()
    cloud.call("CreateInstance", **purchase)
    cloud.settings(token_handling=handling)
    cloud.call("CreateInstance", **purchase)
    assert len(cloud.ledger()) == 2


def test_twenty_at_once_with_one_token_buy_once(cloud):
    purchase = cloud.purchase()
    with ThreadPoolExecutor(20) as pool:
        orders = list(pool.map(lambda _: cloud.call("CreateInstance", **purchase).OrderId, range(20)))
    assert len(set(orders)) == 1 and len(cloud.ledger()) == 1


def test_the_sdks_own_retries_do_not_buy_twice(cloud):
    cloud.fault("CreateInstance", {"kind": "refuse", "code": "RequestLimitExceeded"}, count=1)
    retrying = cloud.client("CreateInstance", retryer=StandardRetryer(backoff_fn=lambda _: 0))
    # Once it has seen a retryable error it re-sends even after a success, and then raises the old error.
    assert failure(lambda: cloud.call("CreateInstance", retrying, **cloud.purchase())) == "RequestLimitExceeded"
    assert [record["outcome"] for record in cloud.requests()] == ["RequestLimitExceeded", "ok", "ok"]
    assert len(cloud.ledger()) == 1


def test_a_storm_passes(cloud):
    cloud.fault("*", {"kind": "rate_limit_storm", "seconds": 1})
    assert failure(lambda: cloud.call("DescribeAccountBalance")) == "RequestLimitExceeded"
    time.sleep(1.1)
    cloud.call("DescribeAccountBalance")


def test_latency(cloud):
    cloud.fault("DescribeAccountBalance", {"kind": "latency", "milliseconds": 300})
    start = time.monotonic()
    cloud.call("DescribeAccountBalance")
    assert time.monotonic() - start >= 0.3


def test_a_fault_hits_only_what_it_names(cloud):
    refuse = {"kind": "refuse", "code": "InternalError"}
    cloud.fault("CreateInstance", refuse, contains="unlucky", skip=1, count=1)

    def buy(name):
        return cloud.call("CreateInstance", **cloud.purchase(detail={"Name": name}))

    buy("lucky")
    buy("unlucky")
    assert failure(lambda: buy("unlucky")) == "InternalError"
    buy("unlucky")


def test_late_partial_and_failed_deliveries(cloud):
    cloud.fault("CreateInstance", {"kind": "delivery", "first": 1, "rest_after_seconds": 60}, count=1)
    order = cloud.call("CreateInstance", **cloud.purchase(Quantity=3, Period=9))
    assert len(order.InstanceIdList) == 1
    assert cloud.call("DescribeConcurrentPackages").Total == 1
    cloud.advance(seconds=60)
    assert cloud.call("DescribeConcurrentPackages").Total == 3
    cloud.fault("CreateInstance", {"kind": "delivery", "first": 0}, count=1)
    lost = cloud.call("CreateInstance", **cloud.purchase(Quantity=2, Period=9))
    assert lost.InstanceIdList == []
    cloud.advance(days=1)
    assert cloud.call("DescribeConcurrentPackages").Total == 3
    assert cloud.post("console/deliver", {"order_id": lost.OrderId}) == {"delivered": 2}
    cloud.fault("CreateInstance", {"kind": "delivery", "fails": True}, count=1)
    failed = failure(lambda: cloud.call("CreateInstance", **cloud.purchase()))
    assert failed == "FailedOperation.PaySuccDeliverFailed"
    assert len(cloud.ledger()) == 3
    assert cloud.call("DescribeDealsByCond", **WIDE, Limit=9, StatusSet=[5]).TotalCount == 1


def test_stale_and_shifting_lists(cloud):
    cloud.buy(Quantity=2, Period=9)
    cloud.advance(seconds=60)
    cloud.buy(Period=9)
    cloud.fault("DescribeConcurrentPackages", {"kind": "stale_lists", "seconds": 60}, count=1)
    assert [cloud.call("DescribeConcurrentPackages").Total for _ in range(2)] == [2, 3]
    cloud.fault("DescribeConcurrentPackages", {"kind": "shifting_lists"})
    pages = [cloud.call("DescribeConcurrentPackages", Limit=1, Offset=at).Raw[0]["ConcurrentId"] for at in range(3)]
    assert len(set(pages)) < 3


def test_null_fields(cloud):
    cloud.buy()
    cloud.fault("DescribeRenewInstances", {"kind": "null_fields", "fields": ["ExpireTime", "Status"]})
    row = cloud.call("DescribeRenewInstances", MaxResults=1).InstanceList[0]
    assert (row.ExpireTime, row.Status, row.InstanceName) == (None, None, "concert")
    cloud.fault("CreateInstance", {"kind": "null_fields", "fields": ["InstanceIdList"]})
    assert cloud.buy() is None


@pytest.mark.parametrize(("when", "held"), [("before_commit", 0), ("after_commit", 1)])
@pytest.mark.parametrize("end", ["release", "remove"])
def test_a_held_request(cloud, when, held, end):
    id = cloud.fault("CreateInstance", {"kind": "hold", "when": when})
    outcome = []

    def buy():
        try:
            outcome.append(cloud.call("CreateInstance", **cloud.purchase()))
        except TencentCloudSDKException as error:
            outcome.append(error)

    thread = threading.Thread(target=buy)
    thread.start()
    wait_for(lambda: any(fault["id"] == id and fault["holding"] for fault in cloud.get("faults")))
    assert cloud.requests()[-1]["outcome"] == "pending"
    wait_for(lambda: len(cloud.ledger()) == held)
    if end == "release":
        assert cloud.post(f"faults/{id}/release") == {"released": 1}
    else:
        cloud.control("DELETE", f"faults/{id}")
    thread.join()
    released = end == "release"
    assert isinstance(outcome[0], TencentCloudSDKException) is not released
    assert len(cloud.ledger()) == (1 if released else held)


def wait_for(condition):
    for _ in range(200):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited in vain")
