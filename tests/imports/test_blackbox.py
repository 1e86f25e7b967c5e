"""`monitor import` of modules of blackbox_exporter with Prometheus's jobs, and of openstatus.yaml."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from import_cast import anything, like, must_validate, run, written

from monitor.imports.blackbox import read_blackbox
from monitor.imports.foreign_files import Source
from monitor.imports.openstatus import read_openstatus

MODULES = """
modules:
  http_2xx:
    prober: http
    timeout: 5s
    http: {follow_redirects: false}
  models:
    prober: http
    http:
      follow_redirects: false
      authorization: {credentials: s3cret-key-1}
  page:
    prober: http
    http:
      method: POST
      headers: {Content-Type: application/json, Host: other.example}
      http_headers: {X-Token: {secrets: [s3cret-2]}}
      body: '{}'
      valid_status_codes: [200, 404]
      fail_if_body_not_matches_regexp: ["Download the latest", "v[0-9]+"]
      fail_if_ssl: true
      basic_auth: {username: ada, password: s3cret-3}
      tls_config: {insecure_skip_verify: true}
  port: {prober: tcp}
  port_tls: {prober: tcp, tcp: {tls: true}}
  ping: {prober: icmp}
"""
JOBS = """
global: {scrape_interval: 30s, scrape_timeout: 20s}
scrape_configs:
  - job_name: relays
    metrics_path: /probe
    params: {module: [models]}
    static_configs:
      - targets: ["https://api.a.example/v1/models", "https://cdn.b.example/v1/models"]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {target_label: __address__, replacement: "127.0.0.1:9115"}
  - job_name: web
    metrics_path: /probe
    scrape_interval: 1m
    params: {module: [http_2xx]}
    static_configs:
      - targets: [www.a.example]
      - targets: ["https://b.example/x"]
        labels: {module: page}
      - targets: ["10.0.0.1:22"]
        labels: {module: port}
      - targets: ["10.0.0.1:443"]
        labels: {module: port_tls}
      - targets: [10.0.0.1]
        labels: {module: ping}
    file_sd_configs: [{files: [a.json]}]
  - job_name: node
    static_configs: [{targets: ["127.0.0.1:9100"]}]
"""


def test_each_target_is_asked_as_its_module_does(tmp_path: Path) -> None:
    (tmp_path / "blackbox.yml").write_text(MODULES)
    (tmp_path / "prometheus.yml").write_text(JOBS)
    document, said = written(tmp_path, "blackbox.yml", "prometheus.yml")
    assert document["service"] == {
        "relays": {
            "name": "relays",
            "key": "${RELAYS_KEY}",
            "endpoints": {
                "api-a-example-v1-models": {
                    "url": "https://api.a.example",
                    "name": "api.a.example/v1/models",
                },
                "cdn-b-example-v1-models": {
                    "url": "https://cdn.b.example",
                    "name": "cdn.b.example/v1/models",
                },
            },
            "probes": {"models": "30s"},
        },
        "web": {
            "name": "web",
            "endpoints": {
                "www-a-example": {"url": "http://www.a.example", "name": "www.a.example"}
            },
            "probes": {"http": {"every": "1m", "timeout": "5s"}},
        },
        "web-b-example-x": {
            "name": "web: b.example/x",
            "endpoints": {
                "b-example-x": {
                    "url": "https://b.example",
                    "name": "b.example/x",
                    "headers": {
                        "Content-Type": "application/json",
                        "X-Token": "${WEB_X_TOKEN}",
                        "Authorization": "${WEB_AUTHORIZATION}",
                    },
                }
            },
            "probes": {
                "http": {
                    "every": "1m",
                    "method": "POST",
                    "path": "/x",
                    "status": [200, 404],
                    "contains": "Download the latest",
                    "body": "{}",
                    "timeout": "20s",
                }
            },
        },
        "web-10-0-0-1-22": {
            "name": "web: 10.0.0.1:22",
            "endpoints": {"10-0-0-1-22": {"url": "http://10.0.0.1:22", "name": "10.0.0.1:22"}},
            "probes": {"tcp": {"every": "1m", "timeout": "20s"}},
        },
        "web-10-0-0-1-443": {
            "name": "web: 10.0.0.1:443",
            "endpoints": {"10-0-0-1-443": {"url": "https://10.0.0.1:443", "name": "10.0.0.1:443"}},
            "probes": {"tls": {"every": "1m", "timeout": "20s"}},
        },
    }
    beginnings = [
        'prometheus.yml line 12: job "web": its file_sd_configs are not carried over',
        'blackbox.yml line 12: module "page": fail_if_ssl is not carried over',
        'blackbox.yml line 12: module "page": it ignored certificates',
        "blackbox.yml: modules follow redirects",
        'blackbox.yml line 12: module "page": that the body matches "v[0-9]+" is not carried over',
        'prometheus.yml line 12: job "web" target "https://b.example/x": the header Host is not carried over',
        'prometheus.yml line 12: job "web" target "10.0.0.1": is left out: the prober "icmp"',
        "service.relays: 2 base URLs became one service",
    ]
    lines = [line for line in said if line.startswith("not carried over: ")]
    assert len(lines) == len(beginnings)
    for line in beginnings:
        assert any(found.startswith(f"not carried over: {line}") for found in lines), line


def test_modules_alone_have_no_targets(tmp_path: Path) -> None:
    (tmp_path / "blackbox.yml").write_text(MODULES)
    done = run(tmp_path, "import", "blackbox.yml")
    assert done.returncode == 1
    assert "give the configuration of Prometheus too" in done.stderr


OPENSTATUS = """
models:
  name: " Our models "
  frequency: 1m
  kind: http
  active: true
  regions: [iad, ams]
  request: {method: GET, url: "https://api.a.example/v1/models", headers: {Authorization: Bearer s3cret-key-3}}
  assertions: [{kind: statusCode, compare: eq, target: 200}]
page:
  frequency: 10m
  kind: http
  timeout: 30000
  degradedAfter: 1500
  request: {method: GET, url: "https://b.example/"}
  assertions:
    - {kind: statusCode, compare: lt, target: 300}
    - {kind: textBody, compare: contains, target: Welcome}
    - {kind: header, compare: eq, key: x, target: y}
port:
  kind: tcp
  active: false
  request: {host: b.example, port: 5432}
"""


def test_monitors_of_openstatus_become_checks(tmp_path: Path) -> None:
    (tmp_path / "openstatus.yaml").write_text(OPENSTATUS)
    document, said = written(tmp_path, "openstatus.yaml")
    services = document["service"]
    assert services["api-a-example"]["probes"] == {"models": "1m"}
    assert services["b-example"]["probes"] == {
        "http": {
            "every": "10m",
            "contains": "Welcome",
            "timeout": "30s",
            "slow": "total > 1500ms",
        }
    }
    assert services["b-example-port"]["endpoints"] == {
        "port": {"url": "http://b.example:5432", "retired": True}
    }
    assert any('line 10: monitor "page": the assertion "header" "eq" "y"' in line for line in said)
    assert any("regions are not carried over" in line for line in said)


HTTP = like(
    {
        "method": st.text(max_size=4),
        "headers": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        "valid_status_codes": st.lists(st.integers() | st.floats(), max_size=3),
        "proxy_url": st.sampled_from(["http://a:1", "http://u:p@a:1", "socks4://a"]),
        "basic_auth": like({"username": st.text(max_size=3)}),
        "fail_if_body_not_matches_regexp": st.lists(st.text(max_size=5), max_size=2),
    }
)
MODULE = like(
    {
        "prober": st.sampled_from(["http", "tcp"]),
        "timeout": st.just("3s"),
        "http": HTTP,
        "tcp": like({}),
    }
)
JOB = like(
    {
        "job_name": st.text(max_size=5),
        "metrics_path": st.just("/probe"),
        "params": st.just({"module": ["m"]}),
        "static_configs": st.lists(
            like(
                {
                    "targets": st.lists(
                        st.sampled_from(["a.example", "https://b.example/v1/models", "a:99"]),
                        max_size=2,
                    )
                }
            ),
            max_size=2,
        ),
    }
)
MONITOR = like(
    {
        "kind": st.sampled_from(["http", "tcp"]),
        "name": st.text(max_size=5),
        "request": like(
            {
                "url": st.just("https://a.example/"),
                "host": st.text(max_size=5),
                "port": st.integers(),
            }
        ),
        "timeout": st.integers(),
        "assertions": st.lists(
            like(
                {
                    "kind": st.just("statusCode"),
                    "compare": st.sampled_from(["eq", "lt", "gte"]),
                    "target": st.integers(0, 700),
                }
            ),
            max_size=2,
        ),
    }
)


@settings(deadline=None)
@given(
    MODULE | anything(),
    st.lists(JOB, min_size=1, max_size=2) | st.lists(anything(), min_size=1),
    anything(),
)
def test_whatever_stands_in_modules_and_jobs_what_is_written_validates(
    module: Any, jobs: Any, usual: Any
) -> None:
    document = {"modules": {"m": module}, "scrape_configs": jobs, "global": usual}
    must_validate(read_blackbox([Source(Path("f"), document, {})]))


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), MONITOR | anything(), max_size=3))
def test_whatever_stands_in_monitors_as_code_what_is_written_validates(document: Any) -> None:
    must_validate(read_openstatus(Source(Path("f"), document, {})))
