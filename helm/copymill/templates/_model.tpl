{{/*
A model with the defaults filled in, as YAML: dict root, model.
Sprig's merge skips false, 0 and empty values, so `min: 0` could not override; hence by hand.
*/}}
{{- define "copymill.model" -}}
{{- $merged := deepCopy .root.Values.modelDefaults -}}
{{- range $key, $value := .model -}}
{{- if has $key (list "gpu" "engine" "replicas" "startup" "cache" "rollout") -}}
{{- range $inner, $given := $value -}}
{{- $_ := set (index $merged $key) $inner $given -}}
{{- end -}}
{{- else -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $merged -}}
{{- end -}}

{{- define "copymill.workerName" -}}
{{- printf "%s-worker-%s" (include "copymill.fullname" .root) .model.name -}}
{{- end -}}

{{- define "copymill.stem" -}}
{{- base . | trimSuffix (ext .) -}}
{{- end -}}

{{/* The name that the program gives a model, in queues and in the label `model`: the stems of its file and its adapter. */}}
{{- define "copymill.modelLabel" -}}
{{- $plain := regexReplaceAll "[^A-Za-z0-9]" (include "copymill.stem" .source) "-" -}}
{{- if .adapter -}}
{{- $adapter := regexReplaceAll "[^A-Za-z0-9]" (include "copymill.stem" .adapter.source) "-" -}}
{{- printf "%s-%s" (trunc 24 $plain) (trunc 15 $adapter) -}}
{{- else -}}
{{- trunc 40 $plain -}}
{{- end -}}
{{- end -}}

{{/* The queue of a model's jobs, as the program makes it from that name and the checksums of its files. */}}
{{- define "copymill.queue" -}}
{{- $sha256 := .sha256 -}}
{{- with .adapter -}}
{{- $sha256 = printf "%s+%s" $sha256 .sha256 | sha256sum -}}
{{- end -}}
{{- printf "copymill.jobs.%s.%s" (include "copymill.modelLabel" .) (trunc 12 $sha256) -}}
{{- end -}}

{{/* Seconds that a worker may go on after SIGTERM: the chunk that runs and the one that was fetched beside it. */}}
{{- define "copymill.graceSeconds" -}}
{{- ceil (mulf 2 .secondsPerChunk) | int64 -}}
{{- end -}}

{{/* Seconds until it is killed: half a minute more, to hand back what did not fit and to say so. */}}
{{- define "copymill.terminationSeconds" -}}
{{- add (include "copymill.graceSeconds" . | int64) 30 -}}
{{- end -}}

{{/* Chunks of one model that are published at once: twice the most workers. What is new waits behind all of it. */}}
{{- define "copymill.window" -}}
{{- $most := 0 -}}
{{- range .Values.models -}}
{{- $model := include "copymill.model" (dict "root" $ "model" .) | fromYaml -}}
{{- $most = max $most ($model.replicas.max | int64) ($model.replicas.min | int64) -}}
{{- end -}}
{{- $least := mul 2 $most -}}
{{- if kindIs "invalid" .Values.scheduler.window -}}
{{- $least -}}
{{- else if lt (.Values.scheduler.window | int64) $least -}}
{{- fail (printf "scheduler.window is %d, but a model may have %d workers: it must be at least %d, or null to be derived" (.Values.scheduler.window | int64) $most $least) -}}
{{- else -}}
{{- .Values.scheduler.window | int64 -}}
{{- end -}}
{{- end -}}
