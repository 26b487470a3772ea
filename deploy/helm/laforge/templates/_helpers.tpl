{{- define "laforge.name" -}}
{{ .Values.name | default .Release.Name }}
{{- end }}

{{- define "laforge.labels" -}}
app.kubernetes.io/name: {{ include "laforge.name" .root }}-{{ .component }}
app.kubernetes.io/part-of: {{ include "laforge.name" .root }}
app.kubernetes.io/version: {{ .version | default .root.Values.image.version | quote }}
{{- with .slot }}
laforge.dev/slot: {{ . }}
{{- end }}
{{- end }}

{{- define "laforge.selector" -}}
app.kubernetes.io/name: {{ include "laforge.name" .root }}-{{ .component }}
{{- with .slot }}
laforge.dev/slot: {{ . }}
{{- end }}
{{- end }}

{{- define "laforge.configMap" -}}
{{ .Values.config.configMap | default (include "laforge.name" .) }}
{{- end }}

{{- define "laforge.claim" -}}
{{ .Values.log.existingClaim | default (printf "%s-log" (include "laforge.name" .)) }}
{{- end }}

{{- define "laforge.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "laforge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "laforge.strategy" -}}
type: {{ .type }}
{{- if eq .type "RollingUpdate" }}
rollingUpdate: {maxSurge: {{ .rollingUpdate.maxSurge }}, maxUnavailable: {{ .rollingUpdate.maxUnavailable }}}
{{- end }}
{{- end }}

{{- define "laforge.scheduling" -}}
{{- if eq .root.Values.log.accessMode "ReadWriteOnce" }}
affinity:
  podAffinity:
    # The volume is attached to one node: all that mount it go there.
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector: {matchLabels: {laforge.dev/log: {{ include "laforge.claim" .root }}}}
{{- else }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {app.kubernetes.io/name: {{ include "laforge.name" .root }}-{{ .component }}}}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "laforge.probes" -}}
{{- range $kind, $path := dict "startup" "/livez" "liveness" "/livez" "readiness" "/readyz" }}
{{ $kind }}Probe:
  httpGet: {path: {{ $path }}, port: probes}
{{- $probe := index $.probes $kind }}
  periodSeconds: {{ $probe.periodSeconds }}
  failureThreshold: {{ $probe.failureThreshold }}
  timeoutSeconds: {{ $probe.timeoutSeconds }}
{{- end }}
{{- end }}
