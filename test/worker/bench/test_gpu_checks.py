"""bench/gpu_checks.py: whatever happens to a group of checks, the others run and all is in the file to send."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
import gpu_checks
from roofline import CARDS, gpu, sheet_of

# Stands in for the script: what its groups do.
GROUPS = """
import json, os, sys, time
name = sys.argv[sys.argv.index("--group") + 1]
print("noise of a library")
print("@@" + json.dumps({"group": name, "what": "it begins", "holds": True, "seen": "", "seconds": 0}), flush=True)
if name == "hangs":
    time.sleep(600)
if name == "dies":
    print("Segmentation fault", file=sys.stderr)
    os._exit(11)
"""


@pytest.fixture
def out(monkeypatch, tmp_path):
    (tmp_path / "script.py").write_text(GROUPS)
    monkeypatch.setattr(gpu_checks, "__file__", str(tmp_path / "script.py"))
    monkeypatch.setattr(gpu_checks, "ROOT", tmp_path)
    monkeypatch.setattr(gpu_checks, "OUT", tmp_path)
    return tmp_path


def test_a_group_that_hangs_or_dies_costs_only_itself(out, capsys):
    results = [
        result
        for name, limit in (("hangs", 2), ("dies", 60), ("ends", 60))
        for result in gpu_checks.watch(name, limit, [])
    ]
    assert [(result["group"], result["holds"]) for result in results] == [
        *(("hangs", True), ("hangs", False), ("dies", True), ("dies", False), ("ends", True))
    ]
    assert "its limit of 2 s passed" in results[1]["seen"]
    assert results[3]["seen"] == "its process ended with status 11. Segmentation fault"
    results.append({"group": "ends", "what": "x", "holds": None, "seen": "", "seconds": 0})
    assert gpu_checks.finish(results, "official weights") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 2 failed, 1 skipped"
    sent = json.loads((out / "gpu.json").read_text())
    assert sent["results"] == results and "Segmentation fault" in sent["logs"]["gpu-dies.log"]


def test_a_check_that_raises_ends_its_group_with_a_failure(monkeypatch, capsys):
    def checks(options):
        yield "first", True, ""
        raise RuntimeError("no kernel image is available")

    monkeypatch.setitem(gpu_checks.GROUPS, "machine", (checks, 1))
    gpu_checks.run_group("machine", gpu_checks.Options())
    first, last = (json.loads(line[2:]) for line in capsys.readouterr().out.splitlines())
    assert (first["holds"], last["holds"]) == (True, False)
    assert "RuntimeError: no kernel image is available" in last["seen"]


def test_the_machine_is_checked_here_too():
    options = gpu_checks.Options(device="cpu")
    results = list(gpu_checks.machine(options))
    assert [holds for _, holds, _ in results] == [True, True] and results[0][2].startswith("CPU (")


@pytest.mark.parametrize(
    ("name", "sheet"),
    [
        ("NVIDIA A100-SXM4-40GB", "A100-40G"),
        ("NVIDIA A100 80GB PCIe", "A100-80G"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA A10G", "A10G"),
        ("NVIDIA GeForce RTX 4090", None),
    ],
)
def test_cards_have_their_data_sheets(name, sheet):
    assert sheet_of(name) == sheet
    assert sheet is None or gpu(sheet).memory == CARDS[sheet][2]
