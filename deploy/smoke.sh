#!/usr/bin/env bash
# Brings the whole stack up beside whatever else runs here, sends a message to the simulator, posts a group of webhook
# events about it, checks what became of both, and takes everything down again. Needs Docker with Compose, and curl.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'smoke: %s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

for program in docker curl; do
    command -v "$program" >/dev/null || fail "$program is not installed"
done
docker info >/dev/null 2>&1 || fail "Docker does not answer: is it running, and may you use it?"
if docker compose version >/dev/null 2>&1; then
    engine=(docker compose)
elif command -v docker-compose >/dev/null; then
    engine=(docker-compose)
else
    fail "neither \`docker compose\` nor \`docker-compose\` is installed"
fi

# The shell's variables would win over the file's.
for name in $(compgen -e); do
    case $name in COMPOSE_* | POSTGRES_* | RABBITMQ_* | MAILJET_* | RAVEN_*) unset "$name" ;; esac
done
export COMPOSE_PROJECT_NAME="raven-smoke-$$"
dir=$(mktemp -d)
log=$dir/compose.log
environment=$dir/env
compose=("${engine[@]}" --project-directory "$PWD" -f docker-compose.yml --env-file "$environment" --profile demo)
services="postgres rabbitmq migrate ingest worker mailjet-sim"

hex() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }
# Ports of 0 are chosen by Docker among the free ones.
(umask 077 && cat >"$environment") <<ENV
POSTGRES_PASSWORD=$(hex 24)
RABBITMQ_PASSWORD=$(hex 24)
RAVEN_ENCRYPTION_KEYS=smoke:$(head -c 32 /dev/urandom | base64)
RAVEN_PUBLIC_URL=http://ingest:8080
MAILJET_URL=http://mailjet-sim:8090
RAVEN_PORT=0
RABBITMQ_UI_PORT=0
MAILJET_SIM_PORT=0
ENV

# bounded SECONDS WHAT COMMAND…: runs a command of which only the log is kept, tells every 15 s that it still runs, and
# fails when its time is over.
running=
escape=$(printf '\033')
last_line() { tr -d '\r' <"$log" | sed "s/$escape\[[0-9;]*m//g" | grep '[[:alnum:]]' | tail -n 1 | cut -c 1-100; }
bounded() {
    local limit=$1 what=$2 start=$SECONDS told=$SECONDS
    shift 2
    say "$what"
    "$@" >>"$log" 2>&1 </dev/null &
    running=$!
    while kill -0 "$running" 2>/dev/null; do
        ((SECONDS - start <= limit)) || fail "$what: not done after $limit s"
        if ((SECONDS - told >= 15)); then
            told=$SECONDS
            say "  $((SECONDS - start)) s: $(last_line)"
        fi
        sleep 1
    done
    wait "$running" || fail "$what: ended with code $?"
    running=
}

# until_true SECONDS WHAT COMMAND…: tries a command each second until it succeeds.
until_true() {
    local limit=$1 what=$2 start=$SECONDS told=$SECONDS
    shift 2
    until "$@"; do
        ((SECONDS - start < limit)) || fail "$what: not within $limit s"
        if ((SECONDS - told >= 10)); then
            told=$SECONDS
            say "  waiting: $what ($((SECONDS - start)) s)"
        fi
        sleep 1
    done
    say "$what"
}

clean_up() {
    local code=$?
    trap - EXIT
    trap '' INT TERM
    [[ -z $running ]] || { kill "$running" && wait "$running"; } 2>/dev/null || true
    if ((code)); then
        tail -n 15 "$log" 2>/dev/null || true
        for service in $services; do
            printf -- '--- %s\n' "$service"
            "${compose[@]}" logs --no-color --tail=20 "$service" 2>&1 </dev/null || true
        done
    fi
    say "taking the stack down"
    "${compose[@]}" down --volumes --remove-orphans >>"$log" 2>&1 </dev/null || { tail -n 15 "$log"; code=1; }
    rm -rf "$dir"
    ((code)) || say "passed"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

raven() { "${compose[@]}" exec -T ingest raven "$@"; }
# call METHOD PATH [CURL-ARGUMENT…]: makes a request; `status` and `body` are its answer.
call() {
    local method=$1 path=$2
    shift 2
    : >"$dir/body"
    status=$(curl -sS --max-time 15 -o "$dir/body" -w '%{http_code}' -X "$method" "$@" "$url$path" 2>>"$log") || true
    body=$(cat "$dir/body")
}
get() { call GET "$1" -H "X-Raven-Key: $key"; }
expect() { [[ $status == "$1" ]] || fail "$2 answered $status: $body"; }
# field NAME JSON: the first string of that name. Raven writes its JSON without spaces.
field() { grep -o "\"$1\":\"[^\"]*\"" <<<"$2" | sed -n '1s/.*:"\(.*\)"$/\1/p'; }

bounded 3600 "building the image (the first time takes minutes)" "${compose[@]}" build
bounded 300 "starting the stack with two workers" "${compose[@]}" up -d --scale worker=2
url=http://$("${compose[@]}" port ingest 8080 </dev/null)
key=none
ready() { get /readyz && [[ $status == 200 ]]; }
until_true 60 "ingest is ready at $url" ready
[[ $("${compose[@]}" ps -q worker </dev/null | wc -l) -eq 2 ]] || fail "there are not two workers"

created=$(raven tenant create smoke --json </dev/null 2>>"$log") || fail "raven tenant create"
tenant=$(field tenantId "$created") || fail "raven tenant create printed no tenantId: $created"
key=$(field apiKey "$created") || fail "raven tenant create printed no apiKey"
printf 'a-secret' | raven provider set mailjet --tenant "$tenant" --from-email raven@example.com --from-name Raven \
    --api-key k --api-secret-stdin >>"$log" 2>&1 || fail "raven provider set"
say "tenant $tenant has the simulator for its provider"

call POST /v1/messages -H "X-Raven-Key: $key" -H 'Content-Type: application/json' -d \
    '{"to":"silent@example.com","subject":"Smoke","bodyText":"Is anybody there?"}'
expect 200 "POST /v1/messages"
id=$(field id "$body") || fail "POST /v1/messages answered no id: $body"
# A message's own status comes before those of its recipients.
status_is() { get "/v1/messages/$id" && [[ $(field status "$body") == "$1" ]]; }
until_true 60 "message $id is sent" status_is sent
provider_id=$(field providerMessageId "$body") || fail "it has no providerMessageId: $body"

now=$(date +%s)
common="\"MessageID\":$provider_id,\"email\":\"silent@example.com\",\"CustomID\":\"$id\",\"Payload\":\"\",\"mj_contact_id\":1"
group="[{\"event\":\"sent\",\"time\":$now,$common,\"smtp_reply\":\"250 OK\"}
,{\"event\":\"open\",\"time\":$((now + 1)),$common,\"ip\":\"192.0.2.1\",\"geo\":\"FR\",\"agent\":\"smoke\"}
,{\"event\":\"bounce\",\"time\":$((now + 2)),$common,\"blocked\":false,\"hard_bounce\":true,\"error\":\"user unknown\"}]"
post_group() {
    call POST "/v1/webhooks/email/mailjet/$tenant" -H 'Content-Type: application/json' -d "$group"
    expect 200 "the webhook"
    [[ -z $body ]] || fail "the webhook's answer has a body: $body"
}
has_events() {
    get "/v1/messages/$id/events"
    [[ $(grep -o '"type":"[^"]*"' <<<"$body" | sort | tr -d '\n') == \
        '"type":"delivered""type":"hard_bounce""type":"open"' ]]
}
is_suppressed() {
    get /v1/suppressions
    local row
    row=$(grep -o '{[^{}]*"silent@example.com"[^{}]*}' <<<"$body") && [[ $(field reason "$row") == hard_bounce ]]
}
queue_is_empty() {
    local queues
    queues=$("${compose[@]}" exec -T rabbitmq rabbitmqctl -q list_queues -p raven name messages </dev/null 2>>"$log")
    [[ $queues =~ events[[:space:]]+0([^0-9]|$) ]]
}

post_group
until_true 60 "its events are delivered, open, hard_bounce" has_events
until_true 30 "the message is bounced" status_is bounced
until_true 30 "the address is suppressed" is_suppressed

post_group
until_true 60 "the same group again is worked off" queue_is_empty
has_events || fail "the same events again changed the history: $body"
status_is bounced || fail "the same events again changed the status: $body"
say "it changed nothing"
