# The proxy of deploy/nginx: Debian's nginx, which the tests run. A certificate is made at the first start, for trying
# things out, unless /etc/graft-nginx/tls (a volume) has tls.crt and tls.key.
FROM debian:12-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light openssl \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10002 proxy-graft \
    && useradd --system --uid 10002 --gid 10002 --no-create-home --shell /usr/sbin/nologin proxy-graft \
    && install -d /etc/graft-nginx \
    && install -d -o proxy-graft -g proxy-graft -m 0700 /etc/graft-nginx/tls /etc/graft-nginx/run
LABEL org.opencontainers.image.title="graft-nginx" \
      org.opencontainers.image.description="The HTTP/2 proxy in front of graft-server" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY deploy/nginx/ /etc/graft-nginx/
COPY deploy/docker/nginx-entrypoint.sh /usr/local/bin/
USER 10002:10002
VOLUME /etc/graft-nginx/tls
EXPOSE 8443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s CMD ["/usr/bin/openssl", "s_client", "-connect", "127.0.0.1:8443", "-alpn", "h2", "-brief", "-no-interactive"]
ENTRYPOINT ["/bin/bash", "/usr/local/bin/nginx-entrypoint.sh"]
