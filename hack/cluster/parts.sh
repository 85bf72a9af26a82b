# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# The control plane's programs and their flags, for both levels; sourced by cluster. A level sets the addresses
# (ADDRESS, *_PORT) and its own flags (API_FLAGS, CONTROLLERS_FLAGS) and adds the parts that only it has by level_command_of.

SERVICE_CIDR=10.96.0.0/16 POD_CIDR=10.244.0.0/16

command_of() { # PART: sets cmd
	local pki=$DIR/pki kube=$PROGRAMS/kube
	local etcd=http://127.0.0.1:$ETCD_PORT peer=http://127.0.0.1:$ETCD_PEER_PORT
	case $1 in
	etcd) # the data lives as long as the cluster: no need to wait for the disk
		cmd=("$kube" etcd --name=cluster --data-dir="$DIR/etcd" --unsafe-no-fsync --log-level=warn
			--listen-client-urls="$etcd" --advertise-client-urls="$etcd"
			--listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="cluster=$peer") ;;
	kube-apiserver)
		cmd=("$kube" kube-apiserver --bind-address="$ADDRESS" --advertise-address="$ADDRESS" --secure-port="$API_PORT"
			--etcd-servers="$etcd" --service-cluster-ip-range="$SERVICE_CIDR" --allow-privileged=true
			--authorization-mode="Node,RBAC" --enable-admission-plugins=NodeRestriction --profiling=false
			--audit-policy-file="$here/audit.yaml" --audit-log-path="$DIR/audit.log" --audit-log-maxsize=1000
			--tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt"
			--service-account-issuer=https://kubernetes.default.svc.cluster.local
			--service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
			--requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client
			--requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group
			--requestheader-extra-headers-prefix=X-Remote-Extra-
			--proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key"
			"${API_FLAGS[@]}") ;;
	kube-controller-manager) # its own limit of 20 requests a second is what a small test would wait for
		cmd=("$kube" kube-controller-manager --bind-address=127.0.0.1 --secure-port="$CONTROLLERS_PORT" --cert-dir="$DIR/run"
			--kubeconfig="$pki/controller-manager.kubeconfig" --authentication-kubeconfig="$pki/controller-manager.kubeconfig"
			--authorization-kubeconfig="$pki/controller-manager.kubeconfig" --use-service-account-credentials=true
			--service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt"
			--cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
			--allocate-node-cidrs=true --cluster-cidr="$POD_CIDR" --service-cluster-ip-range="$SERVICE_CIDR"
			--leader-elect=false --kube-api-qps=500 --kube-api-burst=1000
			"${CONTROLLERS_FLAGS[@]}") ;;
	kube-scheduler)
		cmd=("$kube" kube-scheduler --bind-address=127.0.0.1 --secure-port="$SCHEDULER_PORT" --cert-dir="$DIR/run"
			--kubeconfig="$pki/scheduler.kubeconfig" --authentication-kubeconfig="$pki/scheduler.kubeconfig"
			--authorization-kubeconfig="$pki/scheduler.kubeconfig" --leader-elect=false --kube-api-qps=500 --kube-api-burst=1000) ;;
	*) level_command_of "$1" ;;
	esac
}
