# SPDX-License-Identifier: Apache-2.0
"""The explorer makes its runs, times them, resumes, and writes one report that parses."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make test-train` installs it and runs this")

from models.lowbit.fold import fold  # noqa: E402
from models.lowbit.quantizers import four_level_weight  # noqa: E402
from models.train import explore  # noqa: E402
from models.train.latency import latency_ms, program_ms, without_ends  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore"),  # the converters warn about their own future
]


def test_makes_the_report_and_resumes(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = (explore.GRID[1], explore.GRID[6])
    monkeypatch.setattr(explore, "GRID", grid)
    arguments = ["explore", "--data", str(data), "--out", str(tmp_path), "--epochs", "1", "--max-steps", "1"]
    monkeypatch.setattr("sys.argv", arguments)
    assert explore.main() == 0
    first = (tmp_path / grid[0].name / "result.json").read_text()
    assert json.loads(first)["ms"] > 0
    assert (tmp_path / grid[1].name / "log.jsonl").exists()
    report = (tmp_path / "report.html").read_text()
    svg = re.search(r"<svg.*</svg>", report)
    assert svg is not None
    assert len([e for e in ElementTree.fromstring(svg[0]) if e.tag.endswith("circle")]) == len(grid)
    assert report.count("<tr>") == 1 + len(grid)
    monkeypatch.setattr(explore, "latency_ms", lambda net: pytest.fail("a finished point was made again"))
    assert explore.main() == 0
    assert (tmp_path / grid[0].name / "result.json").read_text() == first


def test_missing_data_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["explore", "--data", str(tmp_path / "none.npz")])
    with pytest.raises(SystemExit) as error:
        explore.main()
    assert error.value.code == 2
    assert "none.npz is not here" in capsys.readouterr().err


def test_float_ends_leave_the_program() -> None:
    network = fold(explore.GRID[4].net().eval())
    middle = without_ends(network, first=True, last=True)
    assert [layer.name for layer in middle.layers] == [layer.name for layer in network.layers[1:-1]]
    assert middle.inputs[0].digits == 1
    assert program_ms(middle) < program_ms(network)


def test_a_second_weight_bit_costs_the_program_twice() -> None:
    one, two = (latency_ms(explore.GRID[k].net()) for k in (4, 5))
    assert 1.2 < two / one < 4  # noisy machines


def test_four_levels_of_weights() -> None:
    weight = torch.randn(3, 8, 3, 3, requires_grad=True)
    levels = four_level_weight(weight)
    deviation = weight.detach().std((1, 2, 3), keepdim=True)
    units = (levels.detach() / deviation).round(decimals=4)
    assert set(units.unique().tolist()) == {-1.5, -0.5, 0.5, 1.5}
    levels.sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones_like(weight))


@pytest.mark.parametrize("point", explore.GRID, ids=lambda point: point.name)
def test_ends_have_their_precision(point: explore.Point) -> None:
    net = point.net()
    assert net.features[0].convolution.precision == point.first
    assert net.classes.precision == point.last
    assert {block.convolution.precision for block in net.features[1:]} == {point.precision}
    assert net.features[0].activation.precision == point.precision
