{{- define "stateless-auth.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "stateless-auth.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "stateless-auth.labels" -}}
{{ include "stateless-auth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "stateless-auth.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "stateless-auth.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ include "stateless-auth.fullname" . }}{{ else }}{{ .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{/* Not root, and nothing that it could become. The ids are those of the image. */}}
{{- define "stateless-auth.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "stateless-auth.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/* Secrets are files: an environment is shown by `kubectl describe`, inherited, and dumped. */}}
{{- define "stateless-auth.env" -}}
{{- $keys := .Values.secrets.keys -}}
- name: DATABASE_URL_FILE
  value: /run/secrets/stateless-auth/{{ $keys.databaseUrl }}
- name: KEY_ENCRYPTION_KEY_FILE
  value: /run/secrets/stateless-auth/{{ $keys.keyEncryptionKey }}
{{- with $keys.mailUrl }}
- name: MAIL_URL_FILE
  value: /run/secrets/stateless-auth/{{ . }}
{{- end }}
{{- with $keys.redisUrl }}
- name: REDIS_URL_FILE
  value: /run/secrets/stateless-auth/{{ . }}
{{- end }}
- name: METRICS_PORT
  value: {{ ternary "9464" "0" .Values.metrics.enabled | quote }}
{{- range $name, $value := .Values.config }}
- name: {{ $name }}
  {{- /* A number of seven digits would be written as 1e+06. */}}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "stateless-auth.volumeMounts" -}}
- name: secrets
  mountPath: /run/secrets/stateless-auth
  readOnly: true
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "stateless-auth.volumes" -}}
- name: secrets
  secret:
    secretName: {{ .Values.secrets.existingSecret }}
    defaultMode: 0440
    items:
      {{- range $key := .Values.secrets.keys }}
      {{- if $key }}
      - key: {{ $key }}
        path: {{ $key }}
      {{- end }}
      {{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
