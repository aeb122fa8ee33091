{{/* Names leave room for `-worker-` and a model's name of 30 characters in a label of 63. */}}
{{- define "copymill.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-copymill" .Release.Name) (contains "copymill" .Release.Name) -}}
{{- $name | trunc 25 | trimSuffix "-" -}}
{{- end -}}

{{- define "copymill.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "copymill.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which a component is selected: dict root, component, and model where it has one. They never change. */}}
{{- define "copymill.selector" -}}
app.kubernetes.io/name: copymill
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .model }}
copymill/model: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of everything: dict root, component, model. */}}
{{- define "copymill.labels" -}}
{{ include "copymill.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* An image: dict root, name. */}}
{{- define "copymill.image" -}}
{{- $image := .root.Values.image -}}
{{- printf "%s/%s:%s" (trimSuffix "/" $image.registry) .name ($image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
