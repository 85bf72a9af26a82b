{{/* Conditions: requests of the operator; of everybody but the operator and the controllers that copy labels and collect garbage. */}}
{{- define "microapp.byOperator" -}}
- name: operator
  expression: request.userInfo.username == '{{ include "microapp.user" . }}'
{{- end }}

{{- define "microapp.byOthers" -}}
- name: others
  expression: >-
    !(request.userInfo.username in ['{{ include "microapp.user" . }}', 'system:kube-controller-manager',
    {{- range $i, $name := list "deployment-controller" "replicaset-controller" "statefulset-controller" "generic-garbage-collector" "namespace-controller" }}
    {{ if $i }}, {{ end }}'system:serviceaccount:kube-system:{{ $name }}'
    {{- end }}])
{{- end }}

{{/* Whether a label of ours differs between two maps: (list now before). */}}
{{- define "microapp.differs" -}}
{{- $now := index . 0 }}{{ $before := index . 1 -}}
[{{ $now }}, {{ $before }}].exists(labels, labels.exists(k,
k.startsWith('microapp.dev/') && {{ $now }}[?k] != {{ $before }}[?k]))
{{- end }}

{{- define "microapp.relabel" -}}
- expression: authorizer.group('microapp.dev').resource('microserviceapps').namespace(request.namespace).check('relabel').allowed()
  reason: Forbidden
  message: labels that begin with microapp.dev/ are the operator's own; set no such label, and leave those that are there
{{- end }}

{{/* Whether a field is as it was, of container c or of the pod: what others put there is not the operator's deed. */}}
{{- define "microapp.kept" -}}
variables.oldContainers.exists(o, o.name == c.name && o.?{{ . }} == c.?{{ . }})
{{- end }}

{{- define "microapp.keptOfPod" -}}
variables.oldPod.exists(o, o.?{{ . }} == variables.pod.?{{ . }})
{{- end }}

{{/* Whether something is set at a path such as `services[].env[].valueFrom.secretKeyRef`: (list node path depth). */}}
{{- define "microapp.names" -}}
{{- $path := index . 1 }}{{ $depth := index . 2 }}{{ $parts := splitn "[]." 2 $path -}}
{{- if contains "{}" $path }}{{ fail (printf "templates/policies/_policies.tpl cannot look into the map of %s yet" $path) }}{{ end -}}
{{- $field := printf "%s.?%s" (index . 0) ($parts._0 | trimSuffix "[]" | replace "." ".?") -}}
{{- if $parts._1 -}}
{{ $field }}.orValue([]).exists(i{{ $depth }}, {{ include "microapp.names" (list (printf "i%d" $depth) $parts._1 (add1 $depth)) }})
{{- else if hasSuffix "[]" $path -}}
{{ $field }}.orValue([]).size() > 0
{{- else -}}
{{ $field }}.hasValue()
{{- end }}
{{- end }}
