"""The official command line, unmodified, in an environment of its own."""

import json
import os
import subprocess

import pytest
from simulator import PRODUCT

# What the installed script does.
MAIN = "import sys; from tccli.main import main; sys.exit(main())"


@pytest.fixture
def cli(cloud, tmp_path):
    def run(service, action, **parameters):
        command = [os.environ["CAR_CLI_PYTHON"], "-c", MAIN, service, action, "--endpoint", cloud.url]
        command += ["--secretId", cloud.secret_id, "--secretKey", cloud.secret_key, "--region", "ap-singapore"]
        for name, value in parameters.items():
            text = value if isinstance(value, str) else json.dumps(value)
            command += ["--" + name, text]
        done = subprocess.run(command, capture_output=True, text=True, env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_command_line_buys_lists_and_renews(cloud, cli):
    status, out, err = cli("billing", "CreateInstance", **cloud.purchase(Quantity=2))
    assert status == 0, err
    ids = json.loads(out)["InstanceIdList"]
    status, out, err = cli("billing", "DescribeRenewInstances", MaxResults=5, InstanceIdList=ids)
    assert (status, [row["InstanceId"] for row in json.loads(out)["InstanceList"]]) == (0, ids), err
    # Like the SDK, the command line drops the fields of the pack, which are not documented.
    status, out, err = cli("car", "DescribeConcurrentPackages", Limit=5)
    assert (status, json.loads(out)["ConcurrentPackages"]) == (0, [{}, {}]), err
    renewal = {"ClientToken": "r", **PRODUCT, "InstanceId": ids[0], "Period": 1, "PeriodUnit": "d"}
    assert cli("billing", "RenewInstance", **renewal)[0] == 0
    assert [entry["amount_cents"] for entry in cloud.ledger()] == [8_000, 4_000]


def test_the_command_line_shows_a_refusal(cloud, cli):
    cloud.settings(balance_cents=0)
    status, out, err = cli("billing", "CreateInstance", **cloud.purchase())
    assert status != 0
    assert "FailedOperation.BalanceInsufficient" in out + err
    assert cloud.ledger() == []
