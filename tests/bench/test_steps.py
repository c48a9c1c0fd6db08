import threading

import pytest

from bench.steps import clocked


class Kettle:
    def boil(self, rounds: int) -> int:
        return sum(range(rounds)) + self.pour(rounds)

    def pour(self, rounds: int) -> int:
        if rounds < 0:
            raise ValueError("nothing in it")
        return sum(range(rounds))


STEPS = {"boiling": ((Kettle, "boil"),), "pouring": ((Kettle, "pour"),)}
ROUNDS = 300_000


def test_a_step_is_told_without_those_inside_it():
    with clocked(STEPS) as account:
        Kettle().pour(ROUNDS)
        alone = account.seconds()["pouring"]
        Kettle().boil(0)
        assert 0 < account.seconds()["boiling"] < alone
        assert account.seconds()["pouring"] >= alone


def test_each_thread_counts_and_all_are_added():
    with clocked(STEPS) as account:
        threads = [threading.Thread(target=Kettle().pour, args=(ROUNDS,)) for _ in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        before = account.seconds()["pouring"]
        Kettle().pour(ROUNDS)
        assert account.seconds()["pouring"] > before > 0


def test_functions_are_as_before_afterwards_and_faults_pass_through():
    boil, pour = vars(Kettle)["boil"], vars(Kettle)["pour"]
    with clocked(STEPS) as account:
        assert vars(Kettle)["boil"] is not boil
        with pytest.raises(ValueError, match="nothing in it"):
            Kettle().boil(-1)
        assert Kettle().boil(3) == 6
        assert set(account.seconds()) == {"boiling", "pouring"}
    assert (vars(Kettle)["boil"], vars(Kettle)["pour"]) == (boil, pour)
