# Debian's Prometheus, which the tests run, as the user that may read the targets in Graft's data folder.
FROM debian:12-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 graft \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin graft \
    && install -d -o graft -g graft -m 0700 /var/lib/prometheus-graft
LABEL org.opencontainers.image.title="graft-prometheus" \
      org.opencontainers.image.description="Prometheus for graft-server and its workers" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY deploy/prometheus/ /etc/graft-prometheus/
USER 10001:10001
VOLUME /var/lib/prometheus-graft
EXPOSE 9090
ENTRYPOINT ["/usr/bin/prometheus", "--config.file=/etc/graft-prometheus/prometheus.yml", \
            "--storage.tsdb.path=/var/lib/prometheus-graft", "--storage.tsdb.retention.time=30d", \
            "--web.listen-address=:9090"]
