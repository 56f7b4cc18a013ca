"""The simulator's control interface, and the SDK's clients pointed at it."""

import json
import urllib.error
import urllib.request

from models import problems
from tencentcloud.billing.v20180709 import billing_client
from tencentcloud.billing.v20180709 import models as billing_models
from tencentcloud.car.v20220110 import car_client
from tencentcloud.car.v20220110 import models as car_models
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

PRODUCT = {"ProductCode": "p_car", "SubProductCode": "sp_car_concurrency", "RegionCode": "ap-singapore"}

CAR = {
    "DescribeConcurrentPackages", "BindConcurrentPackagesToProject", "UnbindConcurrentPackagesFromProject",
    "ModifyConcurrentPackage", "ResetConcurrentPackages", "DescribeConcurrentSummary", "DescribeConcurrentCount",
    "DescribeApplicationProjects", "CreateApplicationProject", "ModifyApplicationProject", "DeleteApplicationProjects",
}
BILLING = {
    "CreateInstance", "RenewInstance", "SetRenewal", "DescribeRenewInstances", "RefundInstance",
    "DescribeDealsByCond", "PayDeals", "DescribeAccountBalance",
}


class Simulator:
    """One account of its own on the shared server, so that tests do not see each other."""

    def __init__(self, url, account):
        self.url = url
        self.account = account
        self.secret_id = f"AKID{account}"
        self.secret_key = f"key-of-{account}"
        self.put("accounts/" + account, {
            "keys": [{"secret_id": self.secret_id, "secret_key": self.secret_key}],
            "balance_cents": 100_000_000,
            "rate_limit_per_second": 0,
        })
        self.tokens = 0

    # The control interface.

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/simulator/{path}", data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def get(self, path):
        return self.control("GET", path)

    def put(self, path, body):
        return self.control("PUT", path, body)

    def post(self, path, body=None):
        return self.control("POST", path, {} if body is None else body)

    def settings(self, **knobs):
        return self.put("accounts/" + self.account, knobs)

    def fault(self, action, effect, **more):
        fault = {"action": action, "account": self.account, "effect": effect, **more}
        return self.post("faults", fault)["id"]

    def ledger(self):
        return self.get(f"ledger?account={self.account}")

    def requests(self):
        return self.get(f"requests?account={self.account}")

    def balance(self):
        return self.get("accounts/" + self.account)["balance_cents"]

    def project(self, scale="S1", name="stage"):
        return self.post("projects", {"account": self.account, "name": name, "scale": scale})["id"]

    def advance(self, **units):
        seconds = units.get("seconds", 0) + 3600 * units.get("hours", 0) + 86400 * units.get("days", 0)
        return self.post("clock/advance", {"seconds": seconds})

    # The SDK.

    def profile(self, **options):
        method = options.pop("method", "POST")
        http = HttpProfile(endpoint=self.url.removeprefix("http://"), protocol="http", reqMethod=method, reqTimeout=5)
        return ClientProfile(httpProfile=http, **options)

    def client(self, action, secret_key=None, token=None, **options):
        credential = Credential(self.secret_id, secret_key or self.secret_key, token)
        module = car_client.CarClient if action in CAR else billing_client.BillingClient
        return module(credential, "", self.profile(**options))

    def call(self, action, client=None, **parameters):
        """The SDK's typed call; the raw answer is held to the SDK's models."""
        models = car_models if action in CAR else billing_models
        client = client or self.client(action)
        request = getattr(models, action + "Request")()
        request.from_json_string(json.dumps(parameters))
        raw = []
        original = client._check_status  # the SDK's own hook into the raw response, before it is decoded

        def keep(response):
            raw.append(response)
            return original(response)

        client._check_status = keep
        try:
            answer = getattr(client, action)(request)
        finally:
            del client._check_status
        assert raw[-1].headers["Content-Type"] == "application/json"
        fields = json.loads(raw[-1].content)["Response"]
        assert "Error" not in fields
        found = problems(models, getattr(models, action + "Response"), fields, action)
        assert not found, "\n".join(found)
        if action == "DescribeConcurrentPackages":
            answer.Raw = fields["ConcurrentPackages"]
        return answer

    def purchase(self, **changes):
        detail = {"Name": "concert", "ConcurrentType": "S1", "ApplicationType": "Cloud3D"}
        detail.update(changes.pop("detail", {}))
        self.tokens += 1
        wanted = {
            "ClientToken": f"token-{self.tokens}", **PRODUCT, "ZoneCode": "ap-singapore-1", "PayMode": "PrePay",
            "Parameter": json.dumps(detail), "Quantity": 1, "Period": 1, "PeriodUnit": "d", **changes,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def buy(self, **changes):
        return self.call("CreateInstance", **self.purchase(**changes)).InstanceIdList

    def token(self):
        self.tokens += 1
        return f"token-{self.tokens}"


def control_error(act):
    """The status and text of a refused control request."""
    try:
        act()
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]
    raise AssertionError("not refused")
