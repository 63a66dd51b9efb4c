//! What etcd, kube-apiserver and kube-controller-manager are told.

use std::path::Path;

/// Issuer of `ServiceAccount` tokens, as in most clusters.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// Everything at level Metadata when it is answered; the status writes of our resource with what was written.
pub(crate) const AUDIT_POLICY: &str = r"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Request
    verbs: [patch, update]
    resources: [{group: photoremoval.dev, resources: [photoremovals/status]}]
  - level: Metadata
";

/// Names of the files in a plane's folder.
pub(crate) const AUDIT_LOG: &str = "audit.log";
pub(crate) const AUDIT_POLICY_FILE: &str = "audit-policy.yaml";
pub(crate) const AUTHORITY: &str = "ca.crt";
pub(crate) const SERVING: &str = "serving";
pub(crate) const TOKENS: &str = "tokens";

pub(crate) fn etcd(folder: &Path, port: u16) -> Vec<String> {
    let client = format!("http://127.0.0.1:{port}");
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        // One member talks to no peer.
        "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
        // What a test writes need not outlive the machine.
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
    ]
}

pub(crate) fn apiserver(folder: &Path, port: u16, etcd: u16, extra: &[String]) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        // No Endpoints object for the Service `kubernetes`: a loopback address is not allowed there.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", folder.display()),
        format!("--tls-cert-file={}", file("serving.crt")),
        format!("--tls-private-key-file={}", file("serving.key")),
        format!("--client-ca-file={}", file(AUTHORITY)),
        "--authorization-mode=RBAC".to_owned(),
        format!("--service-account-issuer={ISSUER}"),
        format!("--service-account-key-file={}", file("tokens.pub")),
        format!("--service-account-signing-key-file={}", file("tokens.key")),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        // No controller manager makes the account `default` that this plugin wants for every pod.
        "--disable-admission-plugins=ServiceAccount".to_owned(),
        format!("--audit-policy-file={}", file(AUDIT_POLICY_FILE)),
        format!("--audit-log-path={}", file(AUDIT_LOG)),
        // Megabytes; never rotated, so that one file has it all.
        "--audit-log-maxsize=100000".to_owned(),
        "--profiling=false".to_owned(),
    ];
    flags.extend_from_slice(extra);
    flags
}

/// `controllers` and nothing else run, as the identity of `kubeconfig`.
pub(crate) fn controller_manager(kubeconfig: &Path, controllers: &[&str]) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--controllers={}", controllers.join(",")),
        "--leader-elect=false".to_owned(),
        // It serves nothing: neither metrics nor health.
        "--secure-port=0".to_owned(),
    ]
}
