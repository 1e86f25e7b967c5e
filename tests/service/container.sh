# Builds the image with the Dockerfile and lives with it, on Debian's own tools: `container.sh SOURCE FOLDER`.
# The base image is bootstrapped from Debian's mirror under the name that the Dockerfile asks for. Run in
# mount and cgroup namespaces of its own; `docker` is podman, held to what a machine without systemd allows,
# and Compose is podman-compose. What was built lives in a network of its own, where the documented port is free and
# no rule is left behind.
set -euo pipefail
source=$1 folder=$2
. "$(dirname "$0")/hub_compose.sh"
if [ "${3:-}" != built ]; then
mount --make-rprivate /
mkdir -p /run/containers && mount -t tmpfs tmpfs /run/containers  # where names are resolved
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export CONTAINERS_STORAGE_CONF=$folder/storage.conf
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s"\nrunroot = "%s"\n' "$folder/images" "$folder/run" > "$CONTAINERS_STORAGE_CONF"
base=$(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$source/Dockerfile" | sort -u)
[ "$(wc -w <<< "$base")" = 1 ]

debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$folder/base" > "$folder/base.log" 2>&1 \
  || { echo "no base image: $(tail -1 "$folder/base.log")"; exit 77; }
ln -s python3 "$folder/base/usr/bin/python"
cp /etc/resolv.conf "$folder/base/etc/"
made=$(buildah from scratch)
buildah copy -q "$made" "$folder/base" / > /dev/null
buildah commit -q "$made" "docker.io/library/$base" > /dev/null
rm -rf "$folder/base"

buildah bud --pull-never --format docker --isolation chroot --network host -v /etc/ssl/certs:/etc/ssl/certs:ro -t monitor "$source"
buildah bud --pull-never --format docker --isolation chroot --network host -v /etc/ssl/certs:/etc/ssl/certs:ro --build-arg EXTRAS=otlp -t extras "$source"
hub_images
exec unshare --net bash "$0" "$source" "$folder" built
fi

ip link set lo up
export CONTAINERS_STORAGE_CONF=$folder/storage.conf
cat > "$folder/containers.conf" <<'END'
[containers]
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
END
export CONTAINERS_CONF=$folder/containers.conf
docker() {
  podman "$@"
}
docker run -d --name bridge --entrypoint true localhost/monitor > "$folder/bridge.log" 2>&1 \
  || { echo "no container with a network of its own: $(tail -1 "$folder/bridge.log")"; exit 77; }
docker rm -f bridge > /dev/null 2>&1
cd "$folder"
documented=$(sed -n 's/^docker run \(.*\) monitor$/\1/p' "$source/docs/operating.md")
eval "docker run --name life $documented localhost/monitor" 2>&1

answer() { python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:8080/'"$1"'", timeout=5).status)' 2>&1; }
for _ in $(seq 120); do [ "$(answer '' | tail -1)" = 200 ] && break; sleep 0.5; done
echo "extras: $(docker run --rm --no-healthcheck --network none --entrypoint python localhost/extras -c 'import opentelemetry.exporter.otlp.proto.http; print("yes")' 2>&1 | tail -1)"
echo "page: $(answer '' | tail -1)"
echo "user: $(docker exec life python -c 'import os; print(os.getuid())')"
echo "root file system: $(docker exec life python -c 'open("/x", "w")' 2>&1 | tail -1)"
echo "key: $(docker exec life python -c 'import os; print(os.listdir(os.environ["CREDENTIALS_DIRECTORY"]))')"
docker healthcheck run life && echo "healthy: yes"
docker kill --signal STOP life > /dev/null
docker healthcheck run life > /dev/null 2>&1 || echo "healthy while it hangs: no"
docker kill --signal CONT life > /dev/null
docker stop life > /dev/null 2>&1
echo "exit status: $(docker inspect --format '{{.State.ExitCode}}' life)"
docker logs life 2>&1 | tail -4
echo "last page: $(grep -q 'Monitoring stopped at' "$(docker volume inspect --format '{{.Mountpoint}}' monitor)/page/index.html" && echo yes)"
docker rm -f life > /dev/null

docker run -d --name demo --read-only --tmpfs /tmp -p 127.0.0.1:8080:8080 localhost/monitor demo > /dev/null 2>&1
for _ in $(seq 120); do [ "$(answer best.txt | tail -1)" = 200 ] && break; sleep 0.5; done
echo "demo: $(answer best.txt | tail -1)"
docker rm -f demo > /dev/null 2>&1

cp monitor.toml "$source/monitor.toml"
mkdir "$source/secrets" && cp secrets/* "$source/secrets/"
cd "$source"
podman-compose up -d --no-build > "$folder/compose.log" 2>&1 || tail -5 "$folder/compose.log"
for _ in $(seq 120); do [ "$(answer healthz | tail -1)" = 200 ] && break; sleep 0.5; done
echo "compose: $(answer healthz | tail -1)"
podman-compose exec -T monitor monitor status < /dev/null > "$folder/status.log" 2>&1 || cat "$folder/status.log"
head -1 "$folder/status.log"
podman-compose down -v > "$folder/down.log" 2>&1
hub_life
