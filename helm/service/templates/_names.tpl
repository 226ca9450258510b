{{/* The name without "-service": what routers and databases are called by. */}}
{{- define "service.short" -}}
{{ trimSuffix "-service" .Release.Name }}
{{- end }}

{{- define "service.selector" -}}
app.kubernetes.io/name: {{ .Release.Name }}
{{- end }}

{{- define "service.labels" -}}
{{ include "service.selector" . }}
app.kubernetes.io/part-of: ubertruck
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Of one slot: (dict "root" $ "colour" "blue"), and with "component" of its api or worker. */}}
{{- define "service.slot" -}}
{{ include "service.selector" .root }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
ubertruck.in/colour: {{ .colour }}
{{- end }}

{{/* What callers dial. App Mesh knows a service by a name of its own, others by the cluster's. */}}
{{- define "service.host" -}}
{{- if eq .global.mesh.provider "appmesh" -}}
{{ .service }}.{{ .global.mesh.domain }}
{{- else -}}
{{ .service }}.{{ .namespace }}.svc.cluster.local
{{- end -}}
{{- end }}

{{- define "service.image" -}}
{{- $slot := index .root.Values.colours .colour -}}
{{- $version := required (printf "colours.%s.version is missing" .colour) $slot.version -}}
{{ .root.Values.global.registry }}/{{ .root.Release.Name }}:{{ $version }}{{ with $slot.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Whether the workload is a Rollout of Argo, which knows no slots. */}}
{{- define "service.argo" -}}
{{- if eq .Values.global.rollout.engine "argo" -}}
{{- if ne .Values.global.mesh.provider "istio" -}}
{{- fail "rollout.engine argo needs mesh.provider istio: it moves the weights of Istio's routes" -}}
{{- end -}}
true
{{- end -}}
{{- end }}

{{/* The slots that exist in the cluster, as a list in JSON. */}}
{{- define "service.enabledColours" -}}
{{- $found := list -}}
{{- range $colour := list "blue" "green" -}}
{{- if (index $.Values.colours $colour).enabled -}}{{- $found = append $found $colour -}}{{- end -}}
{{- end -}}
{{- if not (has .Values.active $found) -}}
{{- fail (printf "active is %s, which is not enabled" .Values.active) -}}
{{- end -}}
{{- if include "service.argo" . -}}{{- $found = list .Values.active -}}{{- end -}}
{{ toJson $found }}
{{- end }}

{{/* Services that this one calls, and those that call it, as lists in JSON. */}}
{{- define "service.backends" -}}
{{ toJson (get .Values.global.calls .Release.Name | default list) }}
{{- end }}
{{- define "service.callers" -}}
{{- $found := list -}}
{{- range $caller, $called := .Values.global.calls -}}
{{- if has $.Release.Name $called -}}{{- $found = append $found $caller -}}{{- end -}}
{{- end -}}
{{ toJson (sortAlpha $found) }}
{{- end }}

{{/* What the routes choose between, as a list in JSON. */}}
{{- define "service.slots" -}}
{{ eq (include "service.argo" .) "true" | ternary (list "stable" "canary") (list "blue" "green") | toJson }}
{{- end }}
