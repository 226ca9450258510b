{{/*
The pod of a process: (dict "root" $ "colour" "blue" "process" "api").
Who we are to the mesh is said by labels; these annotations say what passes by it.
*/}}
{{- define "service.podMetadata" -}}
labels:
  {{- include "service.slot" (dict "root" .root "colour" .colour "component" .process) | nindent 2 }}
  app.kubernetes.io/part-of: ubertruck
annotations:
  checksum/settings: {{ include "service.settings" .root | sha256sum }}
  {{- if eq .root.Values.global.mesh.provider "appmesh" }}
  appmesh.k8s.aws/ports: "8080"
  appmesh.k8s.aws/egressIgnoredPorts: {{ include "service.portsOutside" .root | quote }}
  {{- with .root.Values.global.mesh.tls.issuer }}
  appmesh.k8s.aws/secretMounts: {{ $.root.Release.Name }}-mesh:/etc/mesh
  {{- end }}
  {{- else if eq .root.Values.global.mesh.provider "istio" }}
  traffic.sidecar.istio.io/excludeInboundPorts: "9090"
  traffic.sidecar.istio.io/excludeOutboundPorts: {{ include "service.portsOutside" .root | quote }}
  {{- end }}
{{- end }}

{{/* Names over TCP, telemetry, and what is reached over HTTPS have no place in the mesh. */}}
{{- define "service.portsOutside" -}}
53,4317,4318{{ if ne .Values.egress "none" }},443{{ end }}
{{- end }}

{{- define "service.podSpec" -}}
{{- $root := .root -}}
{{- $migration := eq .process "migrate" -}}
serviceAccountName: {{ $root.Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ add $root.Values.drain.preStopSeconds $root.Values.drain.timeoutSeconds 10 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- if not $migration }}
topologySpreadConstraints:
  {{- range $key, $unsatisfiable := dict "topology.kubernetes.io/zone" "ScheduleAnyway" "kubernetes.io/hostname" "ScheduleAnyway" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $unsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "service.slot" (dict "root" $root "colour" $.colour "component" $.process) | nindent 8 }}
  {{- end }}
{{- end }}
containers:
  - name: {{ .process }}
    image: {{ include "service.image" (dict "root" $root "colour" .colour) }}
    args: [{{ .process }}]
    envFrom:
      - configMapRef: {name: {{ $root.Release.Name }}}
    env:
      - {name: UBERTRUCK_COLOUR, value: {{ .colour }}}
    {{- if not $migration }}
    ports:
      {{- if eq .process "api" }}
      - {name: http, containerPort: 8080}
      {{- end }}
      - {name: health, containerPort: 9090}
    startupProbe:
      httpGet: {path: /healthz, port: health}
      periodSeconds: 2
      failureThreshold: 30
    livenessProbe:
      httpGet: {path: /healthz, port: health}
      periodSeconds: 10
      timeoutSeconds: 2
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: health}
      periodSeconds: 3
      timeoutSeconds: 3
      failureThreshold: 2
    {{- end }}
    {{- if eq .process "api" }}
    lifecycle:
      preStop:
        sleep: {seconds: {{ $root.Values.drain.preStopSeconds }}}
    {{- end }}
    resources:
      {{- toYaml (eq .process "api" | ternary $root.Values.api.resources $root.Values.worker.resources) | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: secrets, mountPath: /run/secrets/ubertruck, readOnly: true}
      - {name: database-authority, mountPath: /etc/ubertruck/database, readOnly: true}
      - {name: tmp, mountPath: /tmp}
      {{- if not $migration }}
      - {name: state, mountPath: /var/lib/ubertruck}
      {{- end }}
volumes:
  - name: secrets
    secret:
      secretName: {{ $root.Release.Name }}-{{ $migration | ternary "migrator" "runtime" }}
      defaultMode: 0440
  - name: database-authority
    configMap: {name: {{ $root.Values.global.database.authority }}}
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- if not $migration }}
  - name: state
    {{- if eq .process "worker" }}
    # The audit's anchor has to outlive the pod, and every node.
    persistentVolumeClaim: {claimName: {{ $root.Release.Name }}-state}
    {{- else }}
    emptyDir: {sizeLimit: 64Mi}
    {{- end }}
  {{- end }}
{{- end }}
