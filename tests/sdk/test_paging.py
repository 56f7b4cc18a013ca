"""Walks with every page size see every row exactly once."""

import pytest
from test_actions import WIDE

ROWS = 113


@pytest.fixture(scope="module")
def full(url):
    from simulator import Simulator

    cloud = Simulator(url, "paging")
    cloud.ids = cloud.buy(Quantity=100) + cloud.buy(Quantity=ROWS - 100, Period=2)
    cloud.projects = [cloud.project(name=f"project {number}") for number in range(ROWS)]
    cloud.settings(unpaid_orders=True)
    cloud.orders = [cloud.call("CreateInstance", **cloud.purchase()).OrderId for _ in range(ROWS)]
    return cloud


def by_offset(cloud, action, rows_of, total_of, size, **more):
    seen, offset = [], 0
    while True:
        answer = cloud.call(action, Offset=offset, Limit=size, **more)
        rows = rows_of(answer)
        assert total_of(answer) == ROWS
        assert len(rows) == min(size, ROWS - offset)
        seen += rows
        offset += size
        if offset >= ROWS:
            return seen


@pytest.mark.parametrize("size", range(1, 101))
def test_packages(full, size):
    rows = by_offset(
        full, "DescribeConcurrentPackages", lambda it: [row["ConcurrentId"] for row in it.Raw], lambda it: it.Total, size
    )
    assert rows == full.ids


@pytest.mark.parametrize("size", range(1, 101))
def test_renewable_instances(full, size):
    seen, token = [], None
    while True:
        more = {"NextToken": token} if token else {}
        page = full.call("DescribeRenewInstances", MaxResults=size, **more)
        seen += [row.InstanceId for row in page.InstanceList]
        token = page.NextToken
        if not token:
            break
        assert len(page.InstanceList) == size
    assert seen == full.ids


@pytest.mark.parametrize("size", [1, 2, 3, 7, 19, 20, 50, 99, 100])
def test_projects(full, size):
    rows = by_offset(
        full, "DescribeApplicationProjects", lambda it: [row.ProjectId for row in it.Projects], lambda it: it.Total, size
    )
    assert sorted(rows) == sorted(full.projects)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 100, 112, 113, 114, 200, 201, 1000])
def test_deals(full, size):
    rows = by_offset(
        full, "DescribeDealsByCond", lambda it: [row.OrderId for row in it.Deals], lambda it: it.TotalCount, size,
        **WIDE, Status=1,
    )
    assert rows == full.orders[::-1]


def test_the_default_page_has_twenty_rows_and_a_page_past_the_end_none(full):
    assert len(full.call("DescribeConcurrentPackages").Raw) == 20
    assert full.call("DescribeConcurrentPackages", Offset=1000).Raw == []
