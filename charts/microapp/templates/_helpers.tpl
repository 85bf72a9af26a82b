{{- define "microapp.name" -}}
{{ contains "microapp" .Release.Name | ternary .Release.Name (printf "%s-microapp" .Release.Name) | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "microapp.selector" -}}
app.kubernetes.io/name: microapp
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "microapp.labels" -}}
{{ include "microapp.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "microapp.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "microapp.account" -}}
{{ .Values.serviceAccount.name | default (include "microapp.name" .) }}
{{- end }}

{{/* The operator, as the API server names it. */}}
{{- define "microapp.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "microapp.account" . }}
{{- end }}
