"""Every action, through the SDK's own models."""

import json
from datetime import datetime, timedelta

import pytest
from simulator import BILLING, CAR, PRODUCT

WIDE = {"StartTime": "2020-01-01 00:00:00", "EndTime": "2099-01-01 00:00:00"}


def when(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_pack_is_bought_listed_renewed_and_returned(cloud, method):
    def call(action, **parameters):
        return cloud.call(action, cloud.client(action, method=method), **parameters)

    bought = call("CreateInstance", **cloud.purchase(Quantity=3, Period=2))
    assert len(bought.InstanceIdList) == 3
    rows = call("DescribeRenewInstances", MaxResults=100).InstanceList
    assert [row.InstanceName for row in rows] == ["concert-1", "concert-2", "concert-3"]
    assert {row.Status for row in rows} == {"NORMAL"}
    before = when(rows[0].ExpireTime)
    first = bought.InstanceIdList[0]
    renewed = call("RenewInstance", ClientToken="r", **PRODUCT, InstanceId=first, Period=1, PeriodUnit="d")
    after = call("DescribeRenewInstances", MaxResults=1, InstanceIdList=[first]).InstanceList[0]
    assert when(after.ExpireTime) == before + timedelta(days=1)
    returned = call("RefundInstance", ClientToken="b", **PRODUCT, InstanceId=first)
    entries = cloud.ledger()
    assert [entry["amount_cents"] for entry in entries] == [24_000, 4_000, -12_000]
    assert [entry["order_id"] for entry in entries] == [bought.OrderId, *renewed.OrderIdList, *returned.OrderIdList]
    assert cloud.balance() == 100_000_000 - 16_000
    assert call("DescribeAccountBalance").Balance == cloud.balance()


def test_times_are_in_the_clouds_zone(cloud):
    now = datetime.fromisoformat(cloud.get("clock")["now"].replace("Z", "+00:00")).replace(tzinfo=None)
    cloud.buy(Period=1)
    row = cloud.call("DescribeRenewInstances", MaxResults=1).InstanceList[0]
    assert when(row.ExpireTime) == now.replace(microsecond=0) + timedelta(hours=24 + 8)


def test_packages_have_the_assumed_shape(cloud):
    project = cloud.project()
    bound = cloud.buy(detail={"ProjectId": project})[0]
    cloud.buy(PeriodUnit="m", detail={"Name": "monthly"})
    answer = cloud.call("DescribeConcurrentPackages")
    assert answer.Total == 2
    daily, monthly = answer.Raw
    assert list(daily) == [
        "Amount", "BillingMode", "ConcurrentId", "ConcurrentType", "CreateTime", "ExpireTime", "Name", "ProjectId",
        "Region", "Status",
    ]
    assert (daily["ConcurrentId"], daily["ProjectId"], daily["BillingMode"]) == (bound, project, "Daily")
    assert (monthly["Name"], monthly["ProjectId"], monthly["BillingMode"]) == ("monthly", None, "Monthly")


def test_packages_are_filtered(cloud):
    ids = cloud.buy(Quantity=3)
    cloud.buy(detail={"ConcurrentType": "L1"})

    def found(name, *values):
        return cloud.call("DescribeConcurrentPackages", Filters=[{"Name": name, "Values": list(values)}]).Total

    assert found("ConcurrentId", *ids[:2]) == 2
    assert found("ConcurrentType", "L1") == 1
    assert found("Name", "concert-2") == 1
    assert found("Region", "ap-tokyo") == 0
    assert found("Status", "NORMAL") == 4
    assert found("ProjectId", "") == 4


def test_a_pack_is_bound_moved_renamed_and_reset(cloud):
    ids = cloud.buy(Quantity=2)
    first, second = cloud.project(name="first"), cloud.project(name="second")
    cloud.call("BindConcurrentPackagesToProject", ConcurrentIds=ids, ProjectId=first)
    assert cloud.call("DescribeConcurrentCount", ProjectId=first).Total == 2
    cloud.call("UnbindConcurrentPackagesFromProject", ConcurrentIds=ids[:1], ProjectId=first)
    cloud.call("UnbindConcurrentPackagesFromProject", ConcurrentIds=ids[1:])
    cloud.call("BindConcurrentPackagesToProject", ConcurrentIds=ids, ProjectId=second)
    cloud.call("ModifyConcurrentPackage", ConcurrentId=ids[0], Name="音乐会")
    cloud.call("ResetConcurrentPackages", ConcurrentPackageIds=ids)
    rows = cloud.call("DescribeConcurrentPackages").Raw
    assert [(row["Name"], row["ProjectId"]) for row in rows] == [("音乐会", second), ("concert-2", second)]
    assert cloud.call("DescribeConcurrentSummary").PrepaidConcurrentTotal == 2
    cloud.control("PUT", f"projects/{second}", {"account": cloud.account, "using": 1})
    count = cloud.call("DescribeConcurrentCount")
    assert (count.Total, count.Running) == (2, 1)


def test_projects_are_made_listed_changed_and_deleted(cloud):
    made = cloud.call(
        "CreateApplicationProject", Name="stage", Type="S1", ApplicationId="app-1", IsPreload=False, FPS=30,
        VideoEncodeConfig={"StreamPushGOPSeconds": 1}, DisableVideoCodecs=["H265"], ProjectCategory="MOBILE",
    ).ProjectId
    cloud.project(scale="L1", name="other")
    cloud.call("ModifyApplicationProject", ProjectId=made, Name="main stage", Type="M1", Description="big")
    rows = cloud.call("DescribeApplicationProjects", ProjectCategory="MOBILE").Projects
    assert [(row.ProjectId, row.Name, row.Type, row.Description) for row in rows] == [(made, "main stage", "M1", "big")]
    assert (rows[0].ApplicationStatus, rows[0].Amount) == ("NoConcurrent", 0)
    pack = cloud.buy(detail={"ConcurrentType": "M1", "ProjectId": made})
    row = cloud.call("DescribeApplicationProjects", Filters=[{"Name": "ProjectId", "Values": [made]}]).Projects[0]
    assert (row.ApplicationStatus, row.Amount, row.ConcurrentRegions) == ("Online", 1, ["ap-singapore"])
    cloud.call("UnbindConcurrentPackagesFromProject", ConcurrentIds=pack)
    cloud.call("DeleteApplicationProjects", ProjectIds=[made])
    assert cloud.call("DescribeApplicationProjects").Total == 1


def test_the_renew_flag_is_set_for_monthly_and_fails_for_daily(cloud):
    daily, monthly = cloud.buy()[0], cloud.buy(PeriodUnit="m")[0]
    auto = "NOTIFY_AND_AUTO_RENEW"

    def put(id, **more):
        asked = {"ProductCode": "p_car", "RegionCode": "ap-singapore", "RenewFlag": auto, **more}
        return cloud.call("SetRenewal", InstanceId=id, **asked).InstanceList

    assert put(monthly, RenewPeriod="1", RenewPeriodUnit="m") == []
    assert [row.InstanceId for row in put(daily)] == [daily]
    assert [row.InstanceId for row in put("cgpack-none")] == ["cgpack-none"]
    rows = cloud.call("DescribeRenewInstances", MaxResults=10, RenewFlagList=[auto]).InstanceList
    assert [(row.InstanceId, row.RenewPeriod, row.RenewPeriodUnit) for row in rows] == [(monthly, 1, "m")]


def test_renewable_instances_are_filtered_and_sorted_by_expiry(cloud):
    late, soon = cloud.buy(Period=9)[0], cloud.buy(Period=1)[0]

    def ids(**filters):
        return [row.InstanceId for row in cloud.call("DescribeRenewInstances", MaxResults=9, **filters).InstanceList]

    assert ids() == [soon, late]
    assert ids(Reverse=True) == [late, soon]
    edge = cloud.call("DescribeRenewInstances", MaxResults=1).InstanceList[0].ExpireTime
    assert ids(ExpireTimeStart=edge, ExpireTimeEnd=edge) == [soon]
    cloud.settings(list_daily_in_renewals=False)
    assert ids() == []


def test_deals_are_found_with_their_quirks(cloud):
    bought = cloud.call("CreateInstance", **cloud.purchase(Quantity=2))
    cloud.call("RenewInstance", ClientToken="r", **PRODUCT, InstanceId=bought.InstanceIdList[0], PeriodUnit="d")
    cloud.fault("CreateInstance", {"kind": "delivery", "first": 0})
    late = cloud.call("CreateInstance", **cloud.purchase())
    assert late.InstanceIdList == []
    done = cloud.call("DescribeDealsByCond", **WIDE, Limit=200)
    assert [deal.Action for deal in done.Deals] == ["renew", "purchase"]
    assert done.Deals[1].ResourceId == bought.InstanceIdList
    assert (done.Deals[1].RealTotalCost, done.Deals[1].Currency) == (8_000, "USD")
    every = cloud.call("DescribeDealsByCond", **WIDE, Limit=201, StatusSet=[1, 2, 3, 4, 5, 6, 12])
    assert every.TotalCount == 3
    assert [deal.ResourceId for deal in every.Deals] == [None] * 3
    assert every.Deals[0].OrderId == late.OrderId
    one = cloud.call("DescribeDealsByCond", **WIDE, Limit=9, ResourceId=bought.InstanceIdList[1])
    assert [deal.OrderId for deal in one.Deals] == [bought.OrderId]
    big = cloud.call("DescribeDealsByCond", **WIDE, Limit=9, BigDealId=one.Deals[0].BigDealId)
    assert [deal.OrderId for deal in big.Deals] == [bought.OrderId]
    assert cloud.call("DescribeDealsByCond", **WIDE, Limit=9, OrderId=late.OrderId, Status=3).TotalCount == 1
    early = {"StartTime": "2020-01-01 00:00:00", "EndTime": "2020-02-01 00:00:00"}
    assert cloud.call("DescribeDealsByCond", **early, Limit=9).TotalCount == 0


@pytest.mark.parametrize("by", ["OrderIds", "BigDealIds"])
def test_an_unpaid_order_is_paid(cloud, by):
    cloud.settings(unpaid_orders=True)
    order = cloud.call("CreateInstance", **cloud.purchase(Quantity=2))
    assert order.InstanceIdList == [] and cloud.ledger() == []
    deal = cloud.call("DescribeDealsByCond", **WIDE, Limit=1, Status=1).Deals[0]
    paid = cloud.call("PayDeals", **{by: [deal.OrderId if by == "OrderIds" else deal.BigDealId]}, AutoVoucher=0)
    assert (paid.OrderIds, len(paid.ResourceIds)) == ([order.OrderId], 2)
    assert [entry["amount_cents"] for entry in cloud.ledger()] == [8_000]


def test_every_action_offered_is_covered_here(cloud):
    with open(__file__, encoding="utf-8") as text:
        source = text.read()
    assert [action for action in sorted(CAR | BILLING) if f'"{action}"' not in source] == []


def test_the_number_of_a_billing_project_and_defaults_are_accepted(cloud):
    assert len(cloud.buy(Quantity=None, Period=None, PeriodUnit=None, ProjectId=0)) == 1
    assert cloud.ledger()[0]["amount_cents"] == 39_800
    assert json.loads(cloud.purchase()["Parameter"])["ApplicationType"] == "Cloud3D"
