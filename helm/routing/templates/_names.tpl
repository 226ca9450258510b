{{- define "routing.labels" -}}
app.kubernetes.io/name: {{ . }}
app.kubernetes.io/part-of: ubertruck
app.kubernetes.io/managed-by: Helm
{{- end }}

{{/* A service's settings over the defaults, with both weights: (dict "root" $ "name" … ), in JSON. */}}
{{- define "routing.service" -}}
{{- $given := index .root.Values.services .name -}}
{{- $weights := dict "blue" 0 "green" 0 -}}
{{- if $given.weights -}}
{{- range $colour, $weight := $given.weights -}}{{- $_ := set $weights $colour (int $weight) -}}{{- end -}}
{{- else -}}
{{- $_ := set $weights $given.active 100 -}}
{{- end -}}
{{- if ne (add $weights.blue $weights.green) 100 -}}
{{- fail (printf "services.%s.weights add up to %d, not to 100" .name (add $weights.blue $weights.green)) -}}
{{- end -}}
{{- $whole := mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $given) (dict "weights" $weights) -}}
{{ toJson (set $whole "short" (trimSuffix "-service" .name)) }}
{{- end }}
