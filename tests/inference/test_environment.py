from aucli.inference.environment import worker_environment


def test_a_worker_on_the_cpu_gets_one_thread_for_each_operation():
    assert worker_environment("cpu") == {"OMP_NUM_THREADS": "1"}


def test_what_triton_compiles_lies_in_our_cache_unless_the_user_has_a_place(monkeypatch, tmp_path):
    monkeypatch.setenv("AUCLI_CACHE", str(tmp_path))
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)
    found = worker_environment("cuda:1")
    assert found["TRITON_CACHE_DIR"] == str(tmp_path / "triton")
    assert found["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("TRITON_CACHE_DIR", "/mine")
    assert worker_environment("cuda:0")["TRITON_CACHE_DIR"] == "/mine"
