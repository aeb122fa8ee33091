{{/* The query for a model's workers: dict root, model. */}}
{{- define "copymill.wantedWorkers" -}}
{{- $namespace := "" -}}
{{- with .root.Values.scaling.prometheus.namespaceLabel -}}
{{- $namespace = printf ",%s=%s" . ($.root.Release.Namespace | quote) -}}
{{- end -}}
{{- printf "max(max_over_time(copymill_scheduler_wanted_workers{model=%s%s}[1m]))" (include "copymill.modelLabel" .model | quote) $namespace -}}
{{- end -}}

{{/* The virtual host in broker.url, as RabbitMQ knows it. */}}
{{- define "copymill.vhost" -}}
{{- (urlParse .Values.broker.url).path | trimPrefix "/" | default "/" -}}
{{- end -}}
