# Lives with docs/compose/docker-compose.yml as docs/operating.md says; sourced by container.sh.
# PostgreSQL's image is made of Debian's package, with what its entry point is documented to do.
hub_images() {
  buildah bud --pull-never --format docker --isolation chroot --network host -v /etc/ssl/certs:/etc/ssl/certs:ro \
    --build-arg EXTRAS=postgres -t monitor-postgres "$source" > "$folder/hub.log" 2>&1
  local made compose=$source/docs/compose/docker-compose.yml
  made=$(buildah from --pull-never "docker.io/library/$base")
  buildah run --isolation chroot --network host "$made" -- \
    sh -c 'apt-get update -q && apt-get install -qy --no-install-recommends postgresql' >> "$folder/hub.log" 2>&1
  cat > "$folder/entrypoint" <<'ENTRYPOINT'
#!/bin/sh
set -e
bin=$(echo /usr/lib/postgresql/*/bin) data=/var/lib/postgresql/data
as() { setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp "$@"; }
mkdir -p $data /var/run/postgresql && chown postgres $data /var/run/postgresql && chmod 700 $data
if [ ! -e $data/PG_VERSION ]; then
  install -o postgres -m 600 "$POSTGRES_PASSWORD_FILE" /tmp/password
  as "$bin/initdb" -D $data --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-local=trust --auth-host=scram-sha-256
  rm /tmp/password
  echo "host all all all scram-sha-256" >> $data/pg_hba.conf
  as "$bin/pg_ctl" -D $data -w -o "-c listen_addresses=" start
  as "$bin/createdb" -U "$POSTGRES_USER" -h /var/run/postgresql "$POSTGRES_USER"
  as "$bin/pg_ctl" -D $data -w stop
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D $data -c "listen_addresses=*"
ENTRYPOINT
  chmod 755 "$folder/entrypoint"
  buildah copy -q "$made" "$folder/entrypoint" /entrypoint > /dev/null
  buildah config --entrypoint '["/entrypoint"]' "$made"
  buildah commit -q "$made" "docker.io/library/$(sed -n 's/^ *image: \(postgres.*\)/\1/p' "$compose")" > /dev/null
}

hub_life() {
  docker() {  # what was built is there, by another tool
    shift
    local words=() ready='' word
    for word in "$@"; do
      case $word in --build) ;; --wait) ready=1 ;; *) words+=("$word") ;; esac
    done
    podman-compose "${words[@]}" < /dev/null || return
    [ -z "$ready" ] || for _ in $(seq 120); do [ "$(answer healthz | tail -1)" = 200 ] && break; sleep 0.5; done
  }
  vi() { cp "$folder/hub.toml" "$1"; }
  heard() { grep -cE '^ *(cn|us) .* ago' "$folder/list.log" || true; }
  cd "$source"
  eval "$(awk '/^### A hub, PostgreSQL/ { on = 1 } on && /^```$/ { exit } code { print } on && /^```sh/ { code = 1 }' docs/operating.md)" \
    > "$folder/hub.log" 2>&1 || tail -5 "$folder/hub.log"
  for _ in $(seq 90); do
    docker compose exec -T hub monitor agent list --config /etc/monitor/monitor.toml > "$folder/list.log" 2>&1 || true
    [ "$(heard)" = 2 ] && break
    sleep 1
  done
  echo "agents: $(heard) heard"
  [ "$(heard)" = 2 ] || { cat "$folder/list.log"; tail -20 "$folder/hub.log"; podman ps -a; }
  docker compose down -v > "$folder/down.log" 2>&1
}
