"""How many readers a cluster gets, and what is refused before anything starts. These tests need no Ray."""

import socket

import pytest

from fovea.corpus.cluster import Resources, check_address, readers_that_fit
from fovea.corpus.options import InputError


def test_without_a_number_there_are_as_many_readers_as_fit():
    assert readers_that_fit(Resources(), 0, {"CPU": 2}, grows=False) == (1, 1)
    assert readers_that_fit(Resources(), 0, {"CPU": 16}, grows=False) == (15, 15)
    assert readers_that_fit(Resources(), 1, {"CPU": 64, "GPU": 8}, grows=True) == (8, 8)
    assert readers_that_fit(Resources(), 0.5, {"CPU": 64, "GPU": 8}, grows=True) == (16, 16)
    assert readers_that_fit(Resources(readers=(1, 64)), 1, {"CPU": 2}, grows=True) == (1, 64)


def test_readers_that_a_machine_cannot_hold_are_refused():
    for asked in (Resources(readers=(2, 2)), Resources(reader_cpus=2)):
        with pytest.raises(InputError, match="more than this machine has: 2 cores"):
            readers_that_fit(asked, 0, {"CPU": 2}, grows=False)
    assert readers_that_fit(Resources(readers=(2, 2), reader_cpus=0.75), 0, {"CPU": 2}, grows=False) == (2, 2)
    with pytest.raises(InputError, match="1 GPUs"):
        readers_that_fit(Resources(readers=(2, 2)), 1, {"CPU": 8, "GPU": 1}, grows=False)
    for asked, grows in ((Resources(), True), (Resources(readers=(1, 1)), False)):
        with pytest.raises(InputError, match="the cluster has none"):
            readers_that_fit(asked, 1, {"CPU": 2}, grows=grows)


def test_an_address_where_nothing_answers_is_refused():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        with pytest.raises(InputError, match="cannot be reached"):
            check_address(f"127.0.0.1:{port}")
        one.listen()
        check_address(f"127.0.0.1:{port}")
        check_address(f"ray://127.0.0.1:{port}")
    check_address("auto")
