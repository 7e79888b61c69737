#!/usr/bin/env bash
# Starts nginx on a folder like deploy/nginx; without a certificate it makes one, which nobody trusts by itself.
#
#   nginx-entrypoint.sh [FOLDER]     default /etc/graft-nginx
set -euo pipefail
folder=${1:-/etc/graft-nginx}
if [ ! -f "$folder/tls/tls.crt" ]; then
  echo "no tls/tls.crt: making a self-signed certificate for localhost; clients get it as their CA file" >&2
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,DNS:graft,IP:127.0.0.1 \
    -keyout "$folder/tls/tls.key" -out "$folder/tls/tls.crt" 2>/dev/null
fi
exec nginx -e stderr -p "$folder" -c nginx.conf
