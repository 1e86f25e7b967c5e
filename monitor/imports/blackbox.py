"""Reads modules of blackbox_exporter, and the targets that Prometheus gives it.

A check is a target of a scrape job and the module that the job names. Documents: `modules` of the exporter's
configuration, and `scrape_configs` of Prometheus's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from monitor.imports.fields import as_list, as_table, duration, flag, number, tables, text
from monitor.imports.foreign_files import Source
from monitor.imports.http_requests import AskedByHttp, connect_check, http_check, statuses
from monitor.imports.imported import Collector, Imported, ImportFileError, name_of, shown

_USUAL_INTERVAL = timedelta(minutes=1)
_USUAL_TIMEOUT = timedelta(seconds=10)
"""What Prometheus takes where its file names none."""
_USUAL_MODULE: Mapping[str, Any] = {"prober": "http"}
_UNSAID = {
    "fail_if_body_matches_regexp": "`contains` wants a text to be there",
    "fail_if_body_json_matches_cel": "`json` wants values to be there",
    "fail_if_body_json_not_matches_cel": "`json` wants values by dotted path",
    "fail_if_header_matches": "headers of an answer are not judged",
    "fail_if_header_not_matches": "headers of an answer are not judged",
    "fail_if_ssl": "an address says whether it is encrypted",
    "valid_http_versions": "HTTP/1.1 is asked",
    "body_file": "write its content as `body`",
    "oauth2": "a key or a header is sent here",
    "proxy_from_environment": "write `proxy`",
    "proxy_connect_header": "a proxy is told a user and a password, in `proxy`",
    "credentials_file": "write the key as `key`, or a header `file:PATH`",
}
_LITERAL = re.compile(r"[\w\s:;,@/<>=\"'!#%&~-]+")
"""A regular expression that is a plain text."""


def is_blackbox(value: object) -> bool:
    """Say whether a YAML document has modules of the exporter, or scrape jobs of Prometheus."""
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("modules"), dict) or isinstance(value.get("scrape_configs"), list)


def read_blackbox(files: Iterable[Source]) -> Imported:
    """Make a check of each target. Raises ImportFileError where no file has scrape jobs."""
    return _Reading(tuple(files)).read()


class _Reading:
    def __init__(self, files: tuple[Source, ...]) -> None:
        self._files = files
        self._all = Collector("blackbox_exporter")
        self._modules: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for file in files:
            for name, module in as_table(as_table(file.value).get("modules")).items():
                place = file.place(("modules", name), f"module {shown(name)}")
                self._modules[name] = place, as_table(module)

    def read(self) -> Imported:
        jobs = [file for file in self._files if as_list(as_table(file.value).get("scrape_configs"))]
        if not jobs:
            raise ImportFileError(
                f"{self._files[0].name} has modules and no targets: give the configuration of Prometheus too, as in"
                " `monitor import blackbox.yml prometheus.yml`"
            )
        for file in jobs:
            usual = as_table(file.value.get("global"))
            for number_, job in enumerate(as_list(file.value.get("scrape_configs"))):
                place = file.place(
                    ("scrape_configs", number_),
                    f"job {shown(as_table(job).get('job_name'))}",
                )
                self._read_job(as_table(job), usual, place)
        return self._all.imported()

    def _read_job(self, job: Mapping[str, Any], usual: Mapping[str, Any], place: str) -> None:
        params = as_table(job.get("params"))
        if text(job.get("metrics_path")) != "/probe" and "module" not in params:
            return  # it scrapes metrics, and probes nothing
        for name in job:
            if name.endswith("_sd_configs"):
                what = f"its {name} are not carried over: write the addresses that they find as base URLs"
                self._all.remark(place, what)
        for relabel in tables(job.get("relabel_configs")):
            if text(relabel.get("target_label")) == "__param_target" and (
                text(relabel.get("replacement")) not in {"", "$1", "${1}"} or relabel.get("regex")
            ):
                what = "its targets are rewritten by relabel_configs, which is not carried over; write the addresses themselves"
                self._all.remark(place, what)
        named = [text(name) for name in as_list(params.get("module"))] or ["http_2xx"]
        every = duration(job.get("scrape_interval")) or duration(usual.get("scrape_interval"))
        limit = duration(job.get("scrape_timeout")) or duration(usual.get("scrape_timeout"))
        for target, labels in _targets(job):
            module = text(labels.get("__param_module") or labels.get("module")) or named[0]
            asked = AskedByHttp(
                source=f"{place} {module} {target}",
                place=f"{place} target {shown(target)}",
                name=text(labels.get("instance") or labels.get("name")) or _short(target),
                url=target,
                group=name_of(job.get("job_name"), ""),
                every=every or _USUAL_INTERVAL,
                timeout=limit or _USUAL_TIMEOUT,
            )
            self._read_target(asked, module)

    def _read_target(self, asked: AskedByHttp, name: str) -> None:
        if name not in self._modules:
            self._all.remark(
                asked.place,
                f"its module {shown(name)} is in no file, and is taken as any 2xx of HTTP; give blackbox.yml too",
            )
        place, module = self._modules.get(name, (asked.place, _USUAL_MODULE))
        prober, limit = text(module.get("prober")), duration(module.get("timeout"))
        if limit and asked.timeout:
            asked = replace(asked, timeout=min(limit, asked.timeout))
        if prober == "http":
            self._read_http(asked, as_table(module.get("http")), place)
        elif prober == "tcp":
            tcp = as_table(module.get("tcp"))
            for key in ("query_response", "tls_config"):
                if tcp.get(key):
                    self._all.remark(
                        place, f"tcp.{key} is not carried over: nothing is sent or read"
                    )
            host, _, port = asked.url.rpartition(":")
            found = int(port) if port.isdecimal() and len(port) < 6 else None
            connect_check(asked, host, found, self._all, encrypted=flag(tcp.get("tls")))
        else:
            what = f"is left out: the prober {shown(prober)} of {shown(name)} is not asked here; `tcp` tells whether anything listens"
            self._all.remark(asked.place, what)

    def _read_http(self, asked: AskedByHttp, http: Mapping[str, Any], place: str) -> None:
        self._remark_module(http, place)
        url = asked.url if "://" in asked.url else f"http://{asked.url}"
        codes = [int(code) for code in map(number, as_list(http.get("valid_status_codes"))) if code]
        login = as_table(http.get("basic_auth"))
        headers = {name: text(value) for name, value in as_table(http.get("headers")).items()}
        headers |= dict(self._more_headers(http, place))
        authorization = as_table(http.get("authorization"))
        if credentials := text(authorization.get("credentials")) or text(http.get("bearer_token")):
            kind = text(authorization.get("type")) or "Bearer"
            headers["Authorization"] = f"{kind} {credentials}"
        proxy = text(http.get("proxy_url"))
        http_check(
            replace(
                asked,
                url=url,
                method=text(http.get("method")).upper() or "GET",
                headers=headers,
                basic=(text(login.get("username")), text(login.get("password"))) if login else None,
                body=text(http.get("body")),
                statuses=statuses((code, code) for code in codes) if codes else None,
                contains=self._contains(http, place),
                proxy=self._proxy(proxy) if proxy else None,
            ),
            self._all,
        )

    def _proxy(self, proxy: str) -> str:
        return self._all.secret(proxy, "proxy") if "@" in proxy else self._all.text(proxy, "proxy")

    def _remark_module(self, http: Mapping[str, Any], place: str) -> None:
        for key, why in _UNSAID.items():
            if http.get(key) or as_table(http.get("authorization")).get(key):
                self._all.remark(place, f"{key} is not carried over: {why}")
        for key in ("username_file", "password_file"):
            if as_table(http.get("basic_auth")).get(key):
                what = f"basic_auth.{key} is not carried over: write the header Authorization as `file:PATH`"
                self._all.remark(place, what)
        if flag(as_table(http.get("tls_config")).get("insecure_skip_verify")):
            what = "it ignored certificates, and here they are verified; name the CA of your own as `ca_file`"
            self._all.remark(place, what)
        elif http.get("tls_config"):
            what = (
                "tls_config is not carried over: name a CA of your own as `ca_file` of the base URL"
            )
            self._all.remark(place, what)
        if http.get("follow_redirects") is not False and not flag(http.get("no_follow_redirects")):
            self._all.remark(
                place.partition(" line ")[0],
                "modules follow redirects, and here one is `unexpected_redirect`: `monitor once` shows which addresses"
                " redirect; write the one that they lead to",
            )

    def _more_headers(self, http: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
        for name, header in as_table(http.get("http_headers")).items():
            table = as_table(header)
            values = [
                text(value) for key in ("values", "secrets") for value in as_list(table.get(key))
            ]
            if values:
                yield name, values[-1]
            elif table.get("files"):
                what = f"the header {shown(name)} is not carried over: write it as `file:PATH`"
                self._all.remark(place, what)

    def _contains(self, http: Mapping[str, Any], place: str) -> str:
        """Return the one text that a body must hold; a remark for what is more than that."""
        wanted = [text(regexp) for regexp in as_list(http.get("fail_if_body_not_matches_regexp"))]
        found = ""
        for regexp in wanted:
            if not found and _LITERAL.fullmatch(regexp):
                found = regexp
            else:
                what = f"that the body matches {shown(regexp)} is not carried over: `contains` is one plain text"
                self._all.remark(place, what)
        return found


def _targets(job: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for config in tables(job.get("static_configs")):
        for target in as_list(config.get("targets")):
            if text(target).strip():
                yield text(target).strip(), as_table(config.get("labels"))


def _short(target: str) -> str:
    try:
        parts = urlsplit(target if "://" in target else f"//{target}")
    except ValueError:
        return target
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/") or target
