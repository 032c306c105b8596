"""How large the KV cache is where nobody says."""

import pytest

from bot.engine.kv import GB, default_kv_cache_gb, free_memory_bytes, weights_bytes


@pytest.mark.parametrize(
    ("free_gb", "weights_gb", "expected"),
    [(16, 2.8, 6), (8, 2.8, 2), (4, 2.8, 1), (1, 2.8, 1), (256, 2.8, 8), (None, 2.8, 2)],
)
def test_the_cache_takes_half_of_what_the_weights_and_a_reserve_leave(free_gb, weights_gb, expected):
    free = None if free_gb is None else free_gb * GB
    assert default_kv_cache_gb(free, int(weights_gb * GB)) == expected


def test_this_machine_tells_its_free_memory():
    free = free_memory_bytes("CPU")
    assert free is not None
    assert 64 * 2**20 < free < 2**50


def test_a_gpu_that_is_not_there_tells_nothing():
    assert free_memory_bytes("GPU.7") is None


def test_the_weights_are_measured(tmp_path):
    (tmp_path / "openvino_model.bin").write_bytes(bytes(1000))
    assert weights_bytes(tmp_path) == 1000
