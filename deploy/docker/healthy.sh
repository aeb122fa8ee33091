#!/bin/bash
# Asks this container's program whether it is alive; for HEALTHCHECK, in place of curl, which the images lack.
set -euo pipefail
address=${COPYMILL_ADMIN__ADDRESS:-127.0.0.1:9090}
exec 3<>"/dev/tcp/127.0.0.1/${address##*:}"
printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3
read -r -t 3 _ status _ <&3
[ "$status" = 200 ]
