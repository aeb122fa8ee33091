{{/* What the schema cannot say: relations between values. Every message says what to change. */}}
{{- define "copymill.checks" -}}
{{- $broker := .Values.broker -}}
{{- if and (not $broker.secret.name) (not $broker.tls.keyKey) -}}
{{- fail "broker.secret.name names the Secret with RabbitMQ's user and password; without one, broker.tls needs a client certificate" -}}
{{- end -}}
{{- if ne (empty $broker.tls.certificateKey) (empty $broker.tls.keyKey) -}}
{{- fail "broker.tls.certificateKey and broker.tls.keyKey belong together" -}}
{{- end -}}
{{- if and $broker.tls.secret (not (hasPrefix "amqps://" $broker.url)) -}}
{{- fail "broker.tls is set, but broker.url is not amqps://" -}}
{{- end -}}
{{- if eq .Values.scaling.mode "keda" -}}
{{- if not $broker.management.url -}}
{{- fail "scaling.mode keda needs broker.management.url, RabbitMQ's HTTP API; or choose hpa or none" -}}
{{- end -}}
{{- if not (or $broker.management.secret.name $broker.secret.name) -}}
{{- fail "scaling.mode keda needs broker.management.secret.name: RabbitMQ's HTTP API asks for user and password" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.http.route.enabled (not .Values.http.route.parentRefs) -}}
{{- fail "http.route needs parentRefs: the Gateway that it belongs to" -}}
{{- end -}}
{{- if and .Values.http.ingress.enabled (not .Values.http.ingress.host) -}}
{{- fail "http.ingress needs a host" -}}
{{- end -}}
{{- $names := list -}}
{{- $queues := list -}}
{{- $labels := list -}}
{{- range .Values.models -}}
{{- $model := include "copymill.model" (dict "root" $ "model" .) | fromYaml -}}
{{- $queue := include "copymill.queue" $model -}}
{{- if has $model.name $names -}}
{{- fail (printf "models: two are named %s" $model.name) -}}
{{- end -}}
{{- if has $queue $queues -}}
{{- fail (printf "models: %s is there twice; raise its replicas.max instead" $model.source) -}}
{{- end -}}
{{- $label := include "copymill.modelLabel" $model -}}
{{- if has $label $labels -}}
{{- fail (printf "models: two files are called %s, and metrics could not tell them apart; rename one" $label) -}}
{{- end -}}
{{- $labels = append $labels $label -}}
{{- $names = append $names $model.name -}}
{{- $queues = append $queues $queue -}}
{{- $sources := list $model.source (dig "adapter" "source" "" $model) -}}
{{- range $sources -}}
{{- if and (hasPrefix "/" .) (ne $model.cache.type "claim") -}}
{{- fail (printf "models: %s is a path, so its cache must be a claim that holds it" $model.name) -}}
{{- end -}}
{{- end -}}
{{- $replicas := $model.replicas -}}
{{- if gt ($replicas.min | int64) ($replicas.max | int64) -}}
{{- fail (printf "models: replicas.min of %s is above its max" $model.name) -}}
{{- end -}}
{{- if and (not (kindIs "invalid" $replicas.idle)) (eq ($replicas.min | int64) 0) -}}
{{- fail (printf "models: replicas.idle of %s needs a min above 0; with min 0 there is nothing left to idle below" $model.name) -}}
{{- end -}}
{{- if and (eq ($model.rollout.maxSurge | toString) "0") (eq ($model.rollout.maxUnavailable | toString) "0") -}}
{{- fail (printf "models: rollout of %s can replace nothing: maxSurge and maxUnavailable are both 0" $model.name) -}}
{{- end -}}
{{- end -}}
{{- with .Values.test.model -}}
{{- if not (has . $names) -}}
{{- fail (printf "test.model is %s, which models does not have" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
