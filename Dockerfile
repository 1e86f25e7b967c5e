# The daemon in a container: not root, its root file system may be read-only (`docker run --read-only`).
# docs/operating.md says how to run it.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
ARG EXTRAS=""
RUN python -m venv /opt/monitor \
 && /opt/monitor/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt ".${EXTRAS:+[$EXTRAS]}"

FROM python:3.13-slim
# By hand, because slim images have no useradd.
RUN echo 'monitor:x:10001:' >> /etc/group \
 && echo 'monitor:x:10001:10001::/var/lib/monitor:/usr/sbin/nologin' >> /etc/passwd \
 && install -d -o monitor -g monitor /var/lib/monitor /var/lib/monitor/page
COPY --from=build /opt/monitor /opt/monitor
# The page is served to whom a port is published; in /var/lib/monitor are history and page; keys and tokens
# are Docker secrets, files named like their variables.
ENV MONITOR_LISTEN=0.0.0.0:8080 \
    STATE_DIRECTORY=/var/lib/monitor \
    CREDENTIALS_DIRECTORY=/run/secrets \
    PATH=/opt/monitor/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2
USER 10001
VOLUME ["/var/lib/monitor"]
EXPOSE 8080
# Not through a proxy that the environment may name.
HEALTHCHECK --interval=30s --timeout=5s --start-period=1m CMD ["python", "-c", "import http.client, os, sys; healthz = http.client.HTTPConnection('127.0.0.1', int(os.environ['MONITOR_LISTEN'].rpartition(':')[2]), timeout=4); healthz.request('GET', '/healthz'); sys.exit(healthz.getresponse().status != 200)"]
ENTRYPOINT ["monitor"]
CMD ["run", "--config", "/etc/monitor/monitor.toml"]
