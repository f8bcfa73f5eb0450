"""Numbers in small blocks: complete, in bounded pieces, and sums that are right where float32 is not enough."""

import numpy as np
import pytest
import torch

from probes.discover import discover
from probes.saved.blocks import blocks, column_sums, row_sums, squares, together


def saved(folder, **tensors: torch.Tensor):
    both = {f"{name}.weight": tensor for name, tensor in tensors.items()} | {"beside.weight": torch.ones(2, 2)}
    torch.save(both, folder / "weights.pt")
    found = discover([folder]).last.tensors
    return [found[f"{name}.weight"] for name in tensors]


def whole(tensor, most: int) -> np.ndarray:
    """The tensor put together from its blocks; an entry that comes twice is added up."""
    shape = (*tensor.shape, 1, 1)[:2]
    rest = tensor.numel // max(1, shape[0] * shape[1])
    found = np.zeros((*shape, rest))
    seen = np.zeros(shape, int)
    for row, column, numbers in blocks(tensor, most):
        assert numbers.size <= most
        rows, columns, depth = numbers.shape
        at = (slice(row, row + rows), slice(column, column + columns))
        first = seen[row, column]
        found[(*at, slice(first, first + depth))] += numbers
        seen[at] += depth
    assert (seen == rest).all()
    return found.reshape(tensor.shape)


LAYOUTS = {
    "contiguous": torch.randn(7, 6, 5),
    "transposed": torch.randn(6, 7).T,
    "channels last": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
    "every other column": torch.randn(8, 12)[:, ::2],
    "a vector": torch.randn(50),
    "a number": torch.tensor(3.0),
    "one long row": torch.randn(1, 200),
    "repeated": torch.randn(5, 1).expand(5, 4),
}


@pytest.mark.parametrize("most", [1, 10, 1000])
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "every other column", "a vector", "a number",
                                    "one long row", "repeated"])  # fmt: skip
def test_every_number_comes_once_and_in_bounded_pieces_whatever_the_layout(tmp_path, layout, most):
    (tensor,) = saved(tmp_path, x=LAYOUTS[layout])
    assert whole(tensor, most) == pytest.approx(LAYOUTS[layout].numpy())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_by_row_and_column_do_not_depend_on_the_layout(tmp_path, layout):
    (tensor,) = saved(tmp_path, x=LAYOUTS[layout])
    want = LAYOUTS[layout].double().numpy().reshape((*LAYOUTS[layout].shape, 1, 1)[0], -1)
    by_row = np.zeros(len(want))
    by_column = np.zeros((*LAYOUTS[layout].shape, 1, 1)[1])
    for row, column, numbers in blocks(tensor, 20):
        by_row[row : row + len(numbers)] += row_sums(numbers)
        by_column[column : column + numbers.shape[1]] += column_sums(numbers)
    assert by_row == pytest.approx(want.sum(1), rel=1e-5, abs=1e-6)
    assert by_column == pytest.approx(want.reshape(len(want), len(by_column), -1).sum((0, 2)), rel=1e-5, abs=1e-6)


def test_tensors_of_different_layouts_are_read_side_by_side(tmp_path):
    numbers = torch.randn(6, 10)
    plain, turned = saved(tmp_path, a=numbers, b=numbers.T.contiguous().T)
    rows = 0
    for _, _, (x, y) in together([plain, turned], 20):
        assert (x == y).all()
        rows += len(x)
    assert rows == 6


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("size", [1e-30, 1e-22, 1e30])
def test_squares_beyond_float32_are_taken_in_float64(size):
    block = np.full((3, 5, 1), size, np.float32)
    block[0] = 1.0
    want = block.astype(np.float64).reshape(3, -1) ** 2
    assert squares(block)[0] == pytest.approx(want.sum(1), rel=1e-6)
    rows, columns = squares(block, by_column=True)
    assert rows == pytest.approx(want.sum(1), rel=1e-6)
    assert columns == pytest.approx(want.sum(0), rel=1e-6)


def test_a_column_that_is_far_smaller_than_its_neighbours_keeps_its_size():
    block = np.ones((4, 3, 1), np.float32)
    block[:, 1] = 1e-25
    assert squares(block, by_column=True)[1][1] == pytest.approx(4e-50, rel=1e-6)


def test_every_code_of_a_small_float_type_widens_to_its_value(tmp_path):
    types = [torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
    for kind in types:
        codes = torch.arange(1 << 8 * kind.itemsize, dtype=torch.int32)
        codes = codes.to(torch.uint8) if kind.itemsize == 1 else codes.to(torch.int32).to(torch.int16)
        tensor = codes.view(kind)
        torch.save({"all.weight": tensor, "finite.weight": tensor[tensor.float().isfinite()]}, tmp_path / "weights.pt")
        found = discover([tmp_path]).last.tensors
        for name, want in (("all.weight", tensor), ("finite.weight", tensor[tensor.float().isfinite()])):
            got = np.concatenate([n.ravel().copy() for _, _, n in blocks(found[name], 1000)])
            assert np.array_equal(got, want.float().numpy(), equal_nan=True)
