{{/* The chart's name, as label. */}}
{{- define "photo-removal-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the objects: the release's name, with the chart's name unless it is in there. */}}
{{- define "photo-removal-operator.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which the Deployment finds its pods; they never change. */}}
{{- define "photo-removal-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "photo-removal-operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of every object; the chart's own win over commonLabels. */}}
{{- define "photo-removal-operator.labels" -}}
{{- $own := include "photo-removal-operator.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/part-of" .Chart.Name -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{- define "photo-removal-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "photo-removal-operator.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name must be given when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "photo-removal-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Arguments of the program: a flag only where its value is set. */}}
{{- define "photo-removal-operator.args" -}}
{{- $operator := .Values.operator -}}
{{- $args := list "run" "--http=0.0.0.0:8080" -}}
{{- with .Values.watchNamespaces -}}
{{- $args = append $args (printf "--namespaces=%s" (join "," .)) -}}
{{- end -}}
{{- with $operator.selector -}}
{{- $args = append $args (printf "--selector=%s" .) -}}
{{- end -}}
{{- range $operator.clouds -}}
{{- $args = append $args (printf "--cloud=%s" .) -}}
{{- end -}}
{{- with $operator.maxInFlight -}}
{{- $args = append $args (printf "--max-in-flight=%d" (int .)) -}}
{{- end -}}
{{- with $operator.retry.base -}}
{{- $args = append $args (printf "--retry-base=%s" .) -}}
{{- end -}}
{{- with $operator.retry.cap -}}
{{- $args = append $args (printf "--retry-cap=%s" .) -}}
{{- end -}}
{{- with $operator.stalledRecheck -}}
{{- $args = append $args (printf "--stalled-recheck=%s" .) -}}
{{- end -}}
{{- with $operator.credentialRecheck -}}
{{- $args = append $args (printf "--credential-recheck=%s" .) -}}
{{- end -}}
{{- with $operator.log.format -}}
{{- $args = append $args (printf "--log-format=%s" .) -}}
{{- end -}}
{{- with .Values.leaderElection -}}
{{- if .enabled -}}
{{- $args = append $args "--leader-election" -}}
{{- $args = append $args (printf "--lease-name=%s" (include "photo-removal-operator.fullname" $)) -}}
{{- with .leaseDuration -}}
{{- $args = append $args (printf "--lease-duration=%s" .) -}}
{{- end -}}
{{- with .renewDeadline -}}
{{- $args = append $args (printf "--lease-renew-deadline=%s" .) -}}
{{- end -}}
{{- with .retryPeriod -}}
{{- $args = append $args (printf "--lease-retry-period=%s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.caBundle.configMap -}}
{{- $args = append $args (printf "--ca-file=/etc/photo-removal-operator/ca/%s" .Values.caBundle.key) -}}
{{- end -}}
{{- toYaml (concat $args .Values.extraArgs) -}}
{{- end -}}

{{/*
What the operator may do, no more: its resource, its status, one Secret at a time, its events; a ServiceAccount's tokens
and writing to Secrets where the values say so.
*/}}
{{- define "photo-removal-operator.rules" -}}
- apiGroups: [photoremoval.dev]
  resources: [photoremovals]
  verbs: [get, list, watch, delete]
- apiGroups: [photoremoval.dev]
  resources: [photoremovals/status]
  verbs: [update]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- if .Values.delegatedCredentials.enabled }}
- apiGroups: [""]
  resources: [secrets]
  {{- with .Values.delegatedCredentials.resourceNames }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [patch]
{{- end }}
{{- if .Values.serviceAccountCredentials.enabled }}
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get]
- apiGroups: [""]
  resources: [serviceaccounts/token]
  verbs: [create]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
