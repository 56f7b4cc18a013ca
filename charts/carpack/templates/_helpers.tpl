{{- define "carpack.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "carpack.fullname" -}}
{{- $name := include "carpack.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "carpack.selectorLabels" -}}
app.kubernetes.io/name: {{ include "carpack.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "carpack.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "carpack.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "carpack.serviceAccountName" -}}
{{- default (include "carpack.fullname" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "carpack.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The ClusterRole of an operator for all namespaces has the same name in every release. Helm therefore refuses a second such
installation in a cluster, which would buy every pack a second time.
*/}}
{{- define "carpack.clusterRoleName" -}}
{{- if .Values.watchNamespaces }}
{{- printf "carpack-operator-%s" .Release.Namespace }}
{{- else -}}
carpack-operator
{{- end }}
{{- end }}
