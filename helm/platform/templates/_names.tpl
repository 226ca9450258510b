{{- define "platform.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: ubertruck
app.kubernetes.io/managed-by: Helm
{{- end }}

{{/* What callers dial: (dict "root" $ "service" "booking-service"). As in the chart `service`. */}}
{{- define "platform.host" -}}
{{- if eq .root.Values.global.mesh.provider "appmesh" -}}
{{ .service }}.{{ .root.Values.global.mesh.domain }}
{{- else -}}
{{ .service }}.{{ .root.Release.Namespace }}.svc.cluster.local
{{- end -}}
{{- end }}
