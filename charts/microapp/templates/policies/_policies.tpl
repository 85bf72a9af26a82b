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
