# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with the script that sources this
# The configuration files of the node's programs.

configure() {
	mkdir -p "$DIR"/{conf,volumes,kubelet,certs.d/_default}
	: >"$DIR/conf/resolv.conf" # beyond the cluster's names there are none
	containerd_config >"$DIR/conf/containerd.toml"
	registries_config >"$DIR/certs.d/_default/hosts.toml"
	network_config >"$DIR/conf/10-bridge.conflist"
	kubelet_config >"$DIR/conf/kubelet.yaml"
	proxy_config >"$DIR/conf/kube-proxy.yaml"
}

containerd_config() {
	cat <<-TOML
		version = 3
		root = "$DIR/containerd/root"
		state = "$DIR/containerd/state"
		[grpc]
		  address = "$DIR/containerd.sock"
		[ttrpc]
		  address = "$DIR/containerd.sock.ttrpc"
		[plugins.'io.containerd.snapshotter.v1.overlayfs']
		  mount_options = ["volatile"] # or the end of each container waits for the whole disk
		[plugins.'io.containerd.cri.v1.images'.pinned_images]
		  sandbox = "registry.k8s.io/pause:3.10.1"
		[plugins.'io.containerd.cri.v1.images'.registry]
		  config_path = "$DIR/certs.d"
		[plugins.'io.containerd.cri.v1.runtime']
		  restrict_oom_score_adj = true # where it may not be lowered, no container would start
		[plugins.'io.containerd.cri.v1.runtime'.cni]
		  bin_dirs = ["$NODE_PROGRAMS/cni"]
		  conf_dir = "$DIR/conf"
		[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
		[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
		  BinaryName = "$NODE_PROGRAMS/runc"
		  SystemdCgroup = false
	TOML
}

registries_config() { # for every registry; without "server" containerd would ask the real one afterwards
	cat <<-TOML
		server = "http://$REGISTRY"
		[host."http://$REGISTRY"]
		  capabilities = ["pull", "resolve"]
	TOML
}

network_config() { # no masquerading: nothing leaves the node but answers
	cat <<-JSON
		{ "cniVersion": "1.0.0", "name": "pods", "plugins": [ {
		    "type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
		    "ipam": { "type": "host-local", "dataDir": "/run/pod-addresses", "ranges": [[ { "subnet": "10.244.0.0/24" } ]], "routes": [ { "dst": "0.0.0.0/0" } ] }
		} ] }
	JSON
}

kubelet_config() {
	cat <<-YAML
		apiVersion: kubelet.config.k8s.io/v1beta1
		kind: KubeletConfiguration
		authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: $DIR/pki/ca.crt } }
		authorization: { mode: Webhook }
		tlsCertFile: $DIR/pki/kubelet-server.crt
		tlsPrivateKeyFile: $DIR/pki/kubelet-server.key
		containerRuntimeEndpoint: unix://$DIR/containerd.sock
		cgroupDriver: cgroupfs
		cgroupRoot: /$CGROUP
		failCgroupV1: false # these may be all that the machine has
		failSwapOn: false
		featureGates: { KubeletInUserNamespace: true } # what it may not set (oom scores, sysctls) it only logs
		clusterDNS: [ $DNS_ADDRESS ]
		clusterDomain: cluster.local
		resolvConf: $DIR/conf/resolv.conf
		podLogsDir: $DIR/log/pods
		volumePluginDir: $DIR/kubelet/volume-plugins
		serializeImagePulls: false
		# the disk is the machine's own, not the node's to keep clean
		imageGCHighThresholdPercent: 100
		evictionHard: { memory.available: 200Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1% }
		nodeStatusUpdateFrequency: 5s
		syncFrequency: 10s # by default a changed Secret reaches the files of a pod within a minute
		maxPods: 200
	YAML
}

proxy_config() {
	cat <<-YAML
		apiVersion: kubeproxy.config.k8s.io/v1alpha1
		kind: KubeProxyConfiguration
		mode: nftables
		hostnameOverride: $NODE
		bindAddress: $ADDRESS
		clusterCIDR: $POD_CIDR
		clientConnection: { kubeconfig: $DIR/pki/proxy.kubeconfig }
		conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s } # 0: as the kernel has them
	YAML
}
