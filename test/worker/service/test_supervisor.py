"""When the supervisor starts a server again, and when it ends: on servers that are only told of."""

import os
from types import SimpleNamespace

import pytest

from fovea.service import supervisor
from fovea.service.supervisor import MAX_FAILED_STARTS, Supervisor

FAILED = ("the Cog server is SETUP_FAILED", False)
KILLED = ("the Cog server ended with status -9", False)
WAS_READY = ("the Cog server ended with status -9", True)


class Scripted(Supervisor):
    """Each start ends as the next of `ends` says: why, and whether the server was ready before."""

    def __init__(self, ends: list[tuple[str, bool]]):
        super().__init__("127.0.0.1", 5000, None)
        self.starts = 0
        self._ends = ends

    def _watch(self, server: object) -> str:
        if self.starts == len(self._ends):
            self.stop()
            return "told to stop"
        why, self._was_ready = self._ends[self.starts]
        self.starts += 1
        return why

    def _drain(self, server: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_processes_and_no_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor, "PREDICTIONS", tmp_path / "coglet/predictions")
    now = iter(range(1_000_000))
    clock = SimpleNamespace(monotonic=lambda: next(now), sleep=lambda _: None)
    monkeypatch.setattr(supervisor, "time", clock)
    monkeypatch.setattr(supervisor, "start_server", lambda *_: SimpleNamespace(pid=1))
    monkeypatch.setattr(supervisor, "stop_server", lambda _: None)


def test_ends_with_the_reason_when_every_start_fails_in_the_same_way(capfd):
    scripted = Scripted([FAILED] * 10)
    assert scripted.run() == 1
    assert scripted.starts == MAX_FAILED_STARTS == 3
    assert "SETUP_FAILED 3 times without being ready" in capfd.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    "ends",
    [
        pytest.param([FAILED, KILLED] * 5, id="in different ways"),
        pytest.param([FAILED, FAILED, WAS_READY] * 5, id="with a good start between"),
        pytest.param([WAS_READY] * 10, id="after it was ready"),
    ],
)
def test_starts_again_when_it_fails(ends):
    scripted = Scripted(ends)
    assert scripted.run() == 0, "told to stop"
    assert scripted.starts == len(ends)


def test_does_not_start_where_cog_can_make_no_folders(monkeypatch, tmp_path, capfd):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(supervisor, "PREDICTIONS", file / "predictions")
    scripted = Scripted([FAILED])
    assert scripted.run() == 1 and scripted.starts == 0
    assert f"needs {file}/predictions" in capfd.readouterr().err


def test_removes_the_folders_of_old_predictions():
    assert supervisor.may_predict()
    now = 1_000_000_000
    for name, age in (("old", supervisor.KEEP_S + 1), ("young", supervisor.KEEP_S - 1)):
        folder = supervisor.PREDICTIONS / name
        (folder / "outputs").mkdir(parents=True)
        os.utime(folder, (now - age, now - age))
    supervisor.sweep(now)
    assert [folder.name for folder in supervisor.PREDICTIONS.iterdir()] == ["young"]
