{{- define "copymill.adminIngress" -}}
{{- with .Values.networkPolicy.metricsFrom }}
- ports: [{ port: admin }]
  from:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* Without rules for it, egress is not restricted: an empty list would cut pods off from broker and store. */}}
{{- define "copymill.egress" -}}
{{- with .Values.networkPolicy.egress -}}
policyTypes: [Ingress, Egress]
egress:
  - ports:
      - { port: 53, protocol: UDP }
      - { port: 53, protocol: TCP }
  {{- toYaml . | nindent 2 }}
{{- else -}}
policyTypes: [Ingress]
{{- end -}}
{{- end -}}
