{{/* Resources of a worker, with its GPUs: Kubernetes wants them as limits. */}}
{{- define "copymill.workerResources" -}}
{{- $resources := deepCopy .resources -}}
{{- if eq .backend "cuda" -}}
{{- $limits := dict .gpu.resource (.gpu.count | int64) | merge ($resources.limits | default dict) -}}
{{- $_ := set $resources "limits" $limits -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{/* The volume of models: dict name, cache. */}}
{{- define "copymill.cacheVolume" -}}
{{- $cache := .cache -}}
- name: cache
{{- if eq $cache.type "emptyDir" }}
  emptyDir:
    sizeLimit: {{ $cache.sizeGiB }}Gi
{{- else if eq $cache.type "ephemeral" }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        {{- include "copymill.claimSpec" $cache | nindent 8 }}
{{- else }}
  persistentVolumeClaim:
    claimName: {{ $cache.existingClaim | default .name }}
{{- end }}
{{- end -}}

{{- define "copymill.claimSpec" -}}
{{- with .storageClass -}}
storageClassName: {{ . }}
{{ end -}}
resources:
  requests:
    storage: {{ .sizeGiB }}Gi
{{- end -}}

{{/*
How workers come and go, for KEDA's HPA and for a plain one: dict root, model.
Whoever is taken away needs its grace period; the next step waits until that is over, and only then does the count of
workers show what the last step did.
*/}}
{{- define "copymill.behavior" -}}
{{- $up := .root.Values.scaling.scaleUp -}}
{{- $down := .root.Values.scaling.scaleDown -}}
{{- $termination := include "copymill.terminationSeconds" .model | int64 -}}
scaleUp:
  stabilizationWindowSeconds: 0
  selectPolicy: Max
  policies:
    - { type: Pods, value: {{ $up.pods }}, periodSeconds: {{ $up.periodSeconds }} }
    - { type: Percent, value: {{ $up.percent }}, periodSeconds: {{ $up.periodSeconds }} }
scaleDown:
  stabilizationWindowSeconds: {{ min 3600 (max ($down.stabilizationSeconds | int64) $termination) }}
  selectPolicy: Max
  policies:
    - { type: Pods, value: 1, periodSeconds: {{ min 1800 $termination }} }
    - { type: Percent, value: {{ $down.percent }}, periodSeconds: {{ min 1800 $termination }} }
{{- end -}}
