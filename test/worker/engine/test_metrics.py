import urllib.error
import urllib.request

import pytest

from fovea.engine.metrics import COUNTERS, GAUGES, Metrics, serve, text


def test_the_engine_counts(make_engine, prompts):
    engine = make_engine()
    answers = [handle.result(60) for handle in [engine.submit(p, max_new=9) for p in prompts]]
    values = engine.metrics.values
    assert values["sequences"] == len(prompts)
    assert values["tokens"] >= sum(answer.sampled for answer in answers)
    assert values["prefill_tokens"] == sum(len(p) for p in prompts)
    assert values["steps"] > 0 and values["decode_seconds"] > 0 and values["prefill_seconds"] > 0


def test_they_are_served_on_loopback_as_prometheus_text():
    metrics = Metrics()
    metrics.add("tokens", 3)
    metrics.gauge("batch", 2)
    server = serve({"nano": metrics, "full": Metrics()}, 0)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            lines = answer.read().decode().splitlines()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/", timeout=10)
    finally:
        server.shutdown()
        server.server_close()
    assert 'fovea_engine_tokens_total{model="nano"} 3' in lines
    assert 'fovea_engine_batch{model="nano"} 2' in lines
    assert 'fovea_engine_tokens_total{model="full"} 0' in lines
    assert int(lines[-1].split()[1]) > 1_000_000


def test_each_has_its_help_and_type_once():
    lines = text({"a": Metrics(), "b": Metrics()}).splitlines()
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) == len(COUNTERS) + len(GAUGES) + 1
