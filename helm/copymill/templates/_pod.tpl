{{/* What every pod has in common: security, no token, no service links, names of Secrets for images. */}}
{{- define "copymill.pod" -}}
serviceAccountName: {{ include "copymill.serviceAccount" . }}
# The programs never speak to the Kubernetes API; the token of a cloud role is mounted by its own webhook.
automountServiceAccountToken: false
# A Service named copymill would set COPYMILL_… variables, which the programs read as settings.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  # A cache of many gigabytes is not walked through at every start.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "copymill.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Environment: dict root, extra. */}}
{{- define "copymill.env" -}}
- name: COPYMILL_CONFIG
  value: /etc/copymill/settings/settings.yaml
- name: COPYMILL_LOG_FORMAT
  value: json
{{- with .root.Values.tracing.otlpEndpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with .root.Values.logging.level }}
- name: COPYMILL_LOG
  value: {{ . }}
{{- end }}
{{- with .root.Values.store.credentials }}
{{- if .secret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .accessKeyIdKey }} }
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .secretAccessKeyKey }} }
{{- end }}
{{- end }}
{{- with .root.Values.huggingFace }}
{{- if .secret }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .tokenKey }} }
{{- end }}
{{- end }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "copymill.mounts" -}}
- name: settings
  mountPath: /etc/copymill/settings
  readOnly: true
{{- if .Values.broker.secret.name }}
- name: broker
  mountPath: /etc/copymill/broker
  readOnly: true
{{- end }}
{{- if .Values.broker.tls.secret }}
- name: tls
  mountPath: /etc/copymill/tls
  readOnly: true
{{- end }}
- name: tmp
  mountPath: /tmp
- name: cache
  mountPath: /var/cache/copymill
{{- end -}}

{{/* Volumes of those mounts, except the cache: dict root, settings (the ConfigMap's name). */}}
{{- define "copymill.volumes" -}}
{{- $broker := .root.Values.broker -}}
- name: settings
  configMap:
    name: {{ .settings }}
{{- with $broker.secret }}
{{- if .name }}
- name: broker
  secret:
    secretName: {{ .name }}
    defaultMode: 0440
    items:
      - { key: {{ .usernameKey }}, path: username }
      - { key: {{ .passwordKey }}, path: password }
{{- end }}
{{- end }}
{{- with $broker.tls }}
{{- if .secret }}
- name: tls
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      - { key: {{ .caKey }}, path: ca.pem }
      {{- if .keyKey }}
      - { key: {{ .certificateKey }}, path: certificate.pem }
      - { key: {{ .keyKey }}, path: key.pem }
      {{- end }}
{{- end }}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 1Gi
{{- end -}}

{{/* Spreads the pods of one generation over zones and machines: dict root, component, model. */}}
{{- define "copymill.spread" -}}
{{- $context := . -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: {{ $context.root.Values.spread.whenUnsatisfiable }}
  # Pods of the version that is being replaced do not count.
  matchLabelKeys: [pod-template-hash]
  labelSelector:
    matchLabels:
      {{- include "copymill.selector" $context | nindent 6 }}
{{- end }}
{{- end -}}

{{/* Where a pod may run: what values of the scheduler and of a model have in common. */}}
{{- define "copymill.placement" -}}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
