//! What is printed above the table: how to play along.

use crate::seed::{CLIENT_SECRET, SPARE};
use crate::stage::{NAMESPACE, Stage};

/// Prints it once.
pub(crate) fn print(stage: &Stage) {
    let kubeconfig = stage.kubeconfig();
    let (kubeconfig, programs, log) = (kubeconfig.display(), stage.programs.display(), stage.log.display());
    let (control, cloud) = (stage.emulator().control_url(), stage.emulator().cloud_flag());
    println!(
        r#"
Play along in another terminal:

  export KUBECONFIG="{kubeconfig}"
  export PATH="{programs}:$PATH"
  kubectl config set-context --current --namespace={NAMESPACE}

  kubectl get phr --watch
  kubectl describe phr leaver
  kubectl explain photoremoval.spec
  kubectl get events --watch

Let the one on hold go on:

  kubectl patch phr suspended --type=merge -p '{{"spec":{{"suspend":false}}}}'

Let the dry run delete, and have the unknown user looked for now:

  kubectl patch phr dry-run --type=merge -p '{{"spec":{{"dryRun":false}}}}'
  kubectl annotate phr unknown-user photoremoval.dev/retry=1 --overwrite

Mend the credential that is refused; the operator notices within seconds:

  kubectl patch secret wrong-credential -p '{{"stringData":{{"AZURE_CLIENT_SECRET":"{CLIENT_SECRET}"}}}}'

Ask what a credential may do, from the repository's folder; nothing is removed:

  cargo run -q --bin photo-removal-operator -- check --service-account offboarder --cloud "{cloud}"

See who has written to the signed-in user's Secret; the operator did, to put the new refresh token there:

  kubectl get secret graph-user --show-managed-fields -o jsonpath='{{.metadata.managedFields[*].manager}}'

Remove a photo yourself (not indented, so that it can be pasted):

kubectl apply -f - <<'END'
apiVersion: photoremoval.dev/v1alpha1
kind: PhotoRemoval
metadata: {{name: visitor}}
spec:
  target: {{user: {SPARE}}}
  credentials: {{secretRef: {{name: contoso-graph}}}}
END

The namespace     {NAMESPACE}
Operator's log    {log}
Microsoft's side  curl {control}state (and {control}requests)

Ctrl-C ends it all.
"#
    );
}
