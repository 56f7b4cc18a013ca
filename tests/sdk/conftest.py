import itertools
import os

import pytest
from simulator import Simulator

COUNT = itertools.count(1)


@pytest.fixture(scope="session")
def url():
    return os.environ["CAR_SIMULATOR_URL"]


@pytest.fixture
def cloud(url):
    """The simulator with a fresh account; faults and skew are gone afterwards."""
    simulator = Simulator(url, f"sdk-{next(COUNT)}")
    yield simulator
    simulator.control("DELETE", "faults")
    simulator.put("clock", {"skew_seconds": 0})
