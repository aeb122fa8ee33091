{{/* Settings that every program reads, by the names of docs/OPERATIONS.md. What is not given is left to the program. */}}
{{- define "copymill.settings" -}}
{{- $store := .Values.store -}}
{{- $broker := .Values.broker -}}
store:
  url: {{ $store.url | quote }}
  s3:
    path_style: {{ $store.s3.pathStyle }}
    {{- with $store.s3.endpoint }}
    endpoint: {{ . | quote }}
    {{- end }}
    {{- with $store.s3.region }}
    region: {{ . | quote }}
    {{- end }}
    {{- with $store.s3.kmsKey }}
    kms_key: {{ . | quote }}
    {{- end }}
    {{- with $store.s3.storageClass }}
    storage_class: {{ . | quote }}
    {{- end }}
broker:
  url: {{ $broker.url | quote }}
  nodes: {{ $broker.nodes | toJson }}
  {{- if $broker.secret.name }}
  username_file: /etc/copymill/broker/username
  password_file: /etc/copymill/broker/password
  {{- end }}
  {{- if $broker.tls.secret }}
  tls:
    ca_file: /etc/copymill/tls/ca.pem
    {{- if $broker.tls.keyKey }}
    certificate_file: /etc/copymill/tls/certificate.pem
    key_file: /etc/copymill/tls/key.pem
    {{- end }}
  {{- end }}
admin:
  address: 0.0.0.0:9090
{{- end -}}

{{/* Folders are those of the images, whose environment counts more than this file. */}}
{{- define "copymill.schedulerSettings" -}}
{{- $sources := .Values.scheduler.httpModels -}}
{{- if not $sources -}}
{{- range .Values.models -}}
{{- /* A path is one in the workers' cache, which schedulers do not have, and nothing over HTTP names an adapter. */}}
{{- if not (or (hasPrefix "/" .source) .adapter) -}}
{{- $sources = append $sources .source -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ include "copymill.settings" . }}
scheduler:
  scratch: /var/lib/copymill/scratch
  cache: /var/cache/copymill
  http: 0.0.0.0:8080
  http_models: {{ $sources | uniq | toJson }}
  chunk_tokens: {{ .Values.scheduler.chunkTokens | int64 }}
  window: {{ include "copymill.window" . }}
  worker_start_s: {{ .Values.scheduler.workerStartSeconds | int64 }}
  horizon_s: {{ .Values.scheduler.horizonSeconds | int64 }}
  assumed_tokens_per_s: {{ .Values.scheduler.assumedTokensPerSecond }}
{{- end -}}

{{/* Dict root, model (with its defaults). */}}
{{- define "copymill.workerSettings" -}}
{{- $model := .model -}}
{{ include "copymill.settings" .root }}
worker:
  model: {{ $model.source | quote }}
  model_sha256: {{ $model.sha256 | quote }}
  {{- with $model.adapter }}
  adapter: {{ .source | quote }}
  adapter_sha256: {{ .sha256 | quote }}
  {{- end }}
  cache: /var/cache/copymill
  # Nine tenths of the volume, so that it is never full and the pod never evicted for it.
  cache_bytes: {{ div (mul ($model.cache.sizeGiB | int64) 1073741824 9) 10 }}
  chunks_in_hand: {{ $model.chunksInHand | int64 }}
  grace_s: {{ include "copymill.graceSeconds" $model }}
  {{- $engine := dict "slots" $model.slots "threads" $model.engine.threads "gpu_layers" $model.engine.gpuLayers "kv_cells" $model.engine.kvCells "batch" $model.engine.batch }}
  {{- range $key, $value := $engine }}
  {{- if kindIs "invalid" $value }}
  {{- $_ := unset $engine $key }}
  {{- else }}
  {{- $_ := set $engine $key ($value | int64) }}
  {{- end }}
  {{- end }}
  {{- with $engine }}
  engine:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
